// What is read-only stays so: a View<const T> does not pass where a View<T> is wanted. The other way round it does.
// says: View<const float
#include <minitrain/core/view.hpp>

#ifdef WRONG
#define ELEMENT const float
#else
#define ELEMENT float
#endif

void scale(minitrain::View<float> x);
void read(minitrain::View<const float> x);
void use(minitrain::View<ELEMENT> x) {
  read(x);
  scale(x);
}
