// A view of another device's memory is no view of the host's: mixing devices does not compile.
// says: View<float, ?Elsewhere>
#include <minitrain/core/view.hpp>

struct Elsewhere {};
#ifdef WRONG
#define DEVICE Elsewhere
#else
#define DEVICE minitrain::Cpu
#endif

void scale(minitrain::View<float> x);
void use(minitrain::View<float, DEVICE> x) { scale(x); }
