// The version the headers carry is the project's.
#include <kappa/version.hpp>

static_assert(kappa::version::major == KAPPA_PROJECT_MAJOR);
static_assert(kappa::version::minor == KAPPA_PROJECT_MINOR);
static_assert(kappa::version::patch == KAPPA_PROJECT_PATCH);
