// Escape times: a tight loop of doubles with a branch on their comparison.
unsigned run(unsigned n) {
  unsigned h = 0;
  for (unsigned y = 0; y < n; y++)
    for (unsigned x = 0; x < n; x++) {
      double cr = 2.0 * x / n - 1.5, ci = 2.0 * y / n - 1.0, zr = 0, zi = 0;
      unsigned k = 0;
      for (; k < 50 && zr * zr + zi * zi <= 4.0; k++) {
        double t = zr * zr - zi * zi + cr;
        zi = 2.0 * zr * zi + ci;
        zr = t;
      }
      h = h * 31 + k;
    }
  return h;
}
