// Section 1: the network, and the plan derived for it.

#include <iostream>

#include <kappa/derive/explain.hpp>
#include <kappa/io/table.hpp>
#include <kappa/io/text.hpp>

#include "model.hpp"

namespace report {

void show_plan(io::report& page) {
  io::table layers{"layer", "output", "parameters", "flops per sample", "bytes of values per sample"};
  for (node const& n : classifier::nodes) {
    std::string shape;
    for (int i = 0; i < n.out.rank; ++i) {
      if (i > 0) shape += "×";
      shape += std::to_string(n.out.extent[i]);
    }
    long const bytes = n.op == operation::reshape ? 0 : n.out.size() * long{sizeof(float)};
    int parameters = 0;
    if (n.op == operation::dense) parameters = classifier::parameters[static_cast<std::size_t>(n.parameter)].size();
    long const flops = flops_of(n, classifier::nodes.data(), classifier::parameters.data());
    layers.row(n.title(), shape, parameters, flops, bytes);
  }
  layers.rule().row("total", "", classifier::parameter_count, classifier::flops, classifier::value_bytes<float>);

  auto const derived = explain<digits>(loss_value, gradient, ggn, kfac<expand>);
  std::cout << "The network\n"
            << layers << "\nIts plan for loss, gradient, Gauss-Newton matrix and K-FAC\n"
            << derived.text << '\n';
  page.heading("The network and its plan")
      .text(
          "The network is a C++ type. Shapes, parameters, flops and the plan below are constants of that type, "
          "computed by the compiler before anything runs.")
      .table(layers)
      .subheading("The derived plan")
      .text(
          "One forward and one backward sweep compute loss, gradient, the Gauss-Newton matrix's root and K-FAC's "
          "factors together.")
      .preformatted(derived.text)
      .preformatted(derived.dot, "The plan as a graph, for Graphviz");
}

}  // namespace report
