// The Mandelbrot set in the terminal, in colour.  Arguments: columns, then 0 for plain text.
#include <stdio.h>
#include <stdlib.h>

static int escape(double cr, double ci, int most) {
  double r = 0, i = 0;
  for (int k = 0; k < most; k++) {
    double rr = r * r, ii = i * i;
    if (rr + ii > 4.0) return k;
    i = 2.0 * r * i + ci;
    r = rr - ii + cr;
  }
  return most;
}

int main(int argc, char **argv) {
  int columns = argc > 1 ? atoi(argv[1]) : 100, colour = argc <= 2 || atoi(argv[2]);
  if (columns < 10 || columns > 1000) {
    fprintf(stderr, "mandelbrot: between 10 and 1000 columns, please\n");
    return 1;
  }
  int rows = columns * 2 / 5;
  for (int y = 0; y < rows; y++) {
    for (int x = 0; x < columns; x++) {
      int k = escape(3.2 * x / columns - 2.3, 2.4 * y / rows - 1.2, 200);
      if (!colour)
        putchar(" .:-=+*#%@"[k == 200 ? 9 : k % 9]);
      else if (k == 200)
        fputs("\033[48;5;16m ", stdout);
      else
        printf("\033[48;5;%dm ", 17 + k % 6 + 36 * (k / 6 % 6));
    }
    puts(colour ? "\033[0m" : "");
  }
  return 0;
}
