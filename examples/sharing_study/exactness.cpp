// E1: in its own setting each variant is the Gauss-Newton matrix of a deep linear network, in the other one it is not.

#include "exactness.hpp"

namespace sharing_study {

namespace {

// The reference's Figure 1: two positions, 8-8-8, without biases.
struct figure_net : network<input<2, 8> | dense<8, no_bias> | dense<8, no_bias>> {};
struct figure_expand : objective<figure_net, squared_error, mean> {};
struct figure_pooled_net : network<input<2, 8> | dense<8, no_bias> | dense<8, no_bias> | mean_over_positions> {};
struct figure_reduce : objective<figure_pooled_net, squared_error, mean> {};

// Four positions, 4-3-3-2, with biases.
struct token_net : network<input<4, 4> | dense<3> | dense<3> | dense<2>> {};
struct summed : objective<token_net, squared_error, kappa::sum> {};

}  // namespace

experiment exactness(settings const& s) {
  experiment e("E1", "Exact in its own setting",
               "Deep linear networks with squared error. In the expand setting the loss has a term for every position; "
               "in the reduce setting positions are aggregated by a scaled sum before the loss, or before a later "
               "layer. Figures are ‖K - G‖ / ‖G‖ in the Frobenius norm, block by block, over " +
                   std::to_string(s.draws()) +
                   " random instances with inputs of mean ½: the largest for the setting's own variant, the mean and "
                   "range over instances and layers with shared weights for the other one.");
  io::table table{"network, loss", "own variant", "its error, largest", "error of the other"};
  exactness_case<figure_expand>(e, table, s, "8-8-8, N = 4, R = 2, ρ = 1/N", setting::expand, 4, 2);
  exactness_case<summed>(e, table, s, "4-3-3-2 with biases, N = 5, R = 4, ρ = 1", setting::expand, 5, 3);
  table.rule();
  exactness_case<figure_reduce>(e, table, s, "8-8-8, mean at the end, ρ = 1/N", setting::reduce, 4, 2);
  exactness_of_aggregations(e, table, s);
  exactness_of_convolutions(e, table, s);
  exactness_of_lengths(e, table, s);
  e.table(std::move(table), "Relative errors of the two variants");
  return e;
}

}  // namespace sharing_study
