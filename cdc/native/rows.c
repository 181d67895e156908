#include "kernel.h"

int32_t cassmirror_kernel_version(void) { return 1; }
