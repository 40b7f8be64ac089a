// Conway's Game of Life, animated in the terminal.  Arguments: generations, pause in milliseconds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WIDTH = 78, HEIGHT = 22 };
static char now[HEIGHT][WIDTH], next[HEIGHT][WIDTH];

static int neighbours(int y, int x) {
  int n = 0;
  for (int dy = -1; dy <= 1; dy++)
    for (int dx = -1; dx <= 1; dx++)
      if (dy || dx) n += now[(y + dy + HEIGHT) % HEIGHT][(x + dx + WIDTH) % WIDTH];
  return n;
}

int main(int argc, char **argv) {
  int generations = argc > 1 ? atoi(argv[1]) : 200, pause = argc > 2 ? atoi(argv[2]) : 50;
  static const char *gun[] = {
    "........................O...........", "......................O.O...........",
    "............OO......OO............OO", "...........O...O....OO............OO",
    "OO........O.....O...OO..............", "OO........O...O.OO....O.O...........",
    "..........O.....O.......O...........", "...........O...O....................",
    "............OO......................"};
  for (int y = 0; y < 9; y++)
    for (int x = 0; gun[y][x]; x++) now[y + 2][x + 2] = gun[y][x] == 'O';
  struct timespec nap = {pause / 1000, pause % 1000 * 1000000L};
  if (generations > 1) fputs("\033[2J", stdout);
  for (int g = 0; g < generations; g++) {
    if (generations > 1) fputs("\033[H", stdout);
    for (int y = 0; y < HEIGHT; y++) {
      char line[WIDTH + 1];
      for (int x = 0; x < WIDTH; x++) {
        line[x] = now[y][x] ? '#' : ' ';
        int n = neighbours(y, x);
        next[y][x] = n == 3 || (n == 2 && now[y][x]);
      }
      line[WIDTH] = 0;
      puts(line);
    }
    printf("generation %d\n", g + 1);
    fflush(stdout);
    memcpy(now, next, sizeof now);
    if (pause && g + 1 < generations) nanosleep(&nap, NULL);
  }
  return 0;
}
