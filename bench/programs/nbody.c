// Planets: double arithmetic with square roots (after the Computer Language Benchmarks Game).
#include <math.h>
#include <string.h>
typedef struct { double x, y, z, vx, vy, vz, mass; } Body;
#define PI 3.141592653589793
#define MASS (4 * PI * PI)
#define DAYS 365.24
static Body body[5];
static const Body start[5] = {
  {0, 0, 0, 0, 0, 0, MASS},
  {4.84143144246472090e+00, -1.16032004402742839e+00, -1.03622044471123109e-01,
   1.66007664274403694e-03 * DAYS, 7.69901118419740425e-03 * DAYS, -6.90460016972063023e-05 * DAYS, 9.54791938424326609e-04 * MASS},
  {8.34336671824457987e+00, 4.12479856412430479e+00, -4.03523417114321381e-01,
   -2.76742510726411e-03 * DAYS, 4.99852801234917238e-03 * DAYS, 2.30417297573763929e-05 * DAYS, 2.85885980666130812e-04 * MASS},
  {1.28943695621391310e+01, -1.51111514016986312e+01, -2.23307578892655734e-01,
   2.96460137564761618e-03 * DAYS, 2.37847173959480950e-03 * DAYS, -2.96589568540237556e-05 * DAYS, 4.36624404335156298e-05 * MASS},
  {1.53796971148509165e+01, -2.59193146099879641e+01, 1.79258772950371181e-01,
   2.68067772490389322e-03 * DAYS, 1.62824170038242295e-03 * DAYS, -9.51592254519715870e-05 * DAYS, 5.15138902046611451e-05 * MASS}};
static void step(double dt) {
  for (int i = 0; i < 5; i++) {
    Body *a = &body[i];
    for (int j = i + 1; j < 5; j++) {
      Body *b = &body[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      double d2 = dx * dx + dy * dy + dz * dz, m = dt / (d2 * sqrt(d2));
      a->vx -= dx * b->mass * m; a->vy -= dy * b->mass * m; a->vz -= dz * b->mass * m;
      b->vx += dx * a->mass * m; b->vy += dy * a->mass * m; b->vz += dz * a->mass * m;
    }
  }
  for (int i = 0; i < 5; i++) {
    body[i].x += dt * body[i].vx; body[i].y += dt * body[i].vy; body[i].z += dt * body[i].vz;
  }
}
unsigned run(unsigned n) {
  memcpy(body, start, sizeof body);
  while (n--) step(0.01);
  unsigned long long bits = 0, h = 0;
  for (int i = 0; i < 5; i++) { memcpy(&bits, &body[i].x, 8); h = h * 1099511628211ull + bits; }
  return (unsigned)(h ^ h >> 32);
}
