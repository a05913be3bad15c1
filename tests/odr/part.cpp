// One object of a program made by several compilers: types of the library come in from another object and go out.
#include "train.hpp"

minitrain::Tensor<float> PART(const minitrain::Dataset& data) { return odr::trained(minitrain::Cpu{}, data); }
