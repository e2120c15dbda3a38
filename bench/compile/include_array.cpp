// ceiling: 8
// What the arrays cost: xtensor, and little else.
#include <kappa/tensor/array.hpp>
