// 64-bit mixing: multiplications, rotations and a switch.
#include <stdint.h>
unsigned run(unsigned n) {
  uint64_t h = 1469598103934665603ull;
  for (uint64_t i = 0; i < n; i++) switch (i % 7) {
      case 0: h ^= i; break;
      case 1: h += i * 3; break;
      case 2: h = h << 5 | h >> 59; break;
      case 3: h *= 1099511628211ull; break;
      case 4: h -= i; break;
      default: h ^= h >> 13;
    }
  return (unsigned)(h ^ h >> 32);
}
