/* The heat equation on a square plate, one edge of which is hot: explicit steps, rows shared out among the ranks, which
 * exchange their outermost rows before each step. Rank 0 then solves the same by itself and compares all cells: the
 * arithmetic of a cell is the same, so the two must be equal to the last bit. The program ends with 1 if they are not.
 *
 * heat [cells per side] [steps] */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double RATE = 0.2; /* of diffusion per step; stable below 0.25 */

/* Allocate, or end the whole program. */
static double *plate(size_t cells) {
    double *found = calloc(cells, sizeof *found);
    if (found == NULL) MPI_Abort(MPI_COMM_WORLD, 2);
    return found;
}

/* One step of the rows 1..rows; rows 0 and rows + 1 are their neighbours. */
static void step(const double *now, double *next, int rows, int side) {
    for (int r = 1; r <= rows; r++)
        for (int c = 1; c < side - 1; c++) {
            size_t at = (size_t)r * side + c;
            next[at] = now[at] + RATE * (now[at - side] + now[at + side] + now[at - 1] + now[at + 1] - 4 * now[at]);
        }
}

/* Heat the left edge of a block and of the rows above and below it; the other edges stay cold. */
static void heat_edges(double *block, int rows, int side) {
    for (int r = 0; r < rows + 2; r++) block[(size_t)r * side] = 100;
}

/* The plate after some steps, solved by one process. Its first and last row are edges. */
static double *solve_alone(int side, int steps) {
    double *now = plate((size_t)side * side), *next = plate((size_t)side * side);
    heat_edges(now, side - 2, side);
    heat_edges(next, side - 2, side);
    for (int s = 0; s < steps; s++) {
        step(now, next, side - 2, side);
        double *old = now;
        now = next;
        next = old;
    }
    free(next);
    return now;
}

/* This rank's inner rows of the plate after some steps. */
static double *solve_together(int rows, int side, int steps, int above, int below) {
    size_t cells = (size_t)(rows + 2) * side;
    double *now = plate(cells), *next = plate(cells);
    heat_edges(now, rows, side);
    heat_edges(next, rows, side);
    for (int s = 0; s < steps; s++) {
        double *top = now, *first = now + side, *last = now + (size_t)rows * side, *bottom = last + side;
        MPI_Sendrecv(first, side, MPI_DOUBLE, above, 0, bottom, side, MPI_DOUBLE, below, 0, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        MPI_Sendrecv(last, side, MPI_DOUBLE, below, 1, top, side, MPI_DOUBLE, above, 1, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        step(now, next, rows, side);
        double *old = now;
        now = next;
        next = old;
    }
    free(next);
    return now;
}

/* The rows of each rank: as equal as can be. `starts` and `counts` are in cells, for MPI_Gatherv. */
static void share_out(int side, int size, int *starts, int *counts) {
    int start = 0;
    for (int r = 0; r < size; r++) {
        int rows = (side - 2) / size + (r < (side - 2) % size);
        starts[r] = start * side;
        counts[r] = rows * side;
        start += rows;
    }
}

/* Compare all inner rows with those that one process finds; prints the result. */
static int compare(const double *together, int side, int steps, int size) {
    double *alone = solve_alone(side, steps), heat = 0;
    size_t cells = (size_t)(side - 2) * side, different = 0;
    for (size_t i = 0; i < cells; i++) {
        different += memcmp(&together[i], &alone[side + i], sizeof(double)) != 0;
        heat += together[i];
    }
    printf("heat: %d x %d cells, %d steps, %d ranks, mean %.6f\n", side, side, steps, size, heat / cells);
    printf("heat: %zu cells differ from the serial result\n", different);
    free(alone);
    return different != 0;
}

int main(int argc, char **argv) {
    int rank, size, length, failed = 0;
    char name[MPI_MAX_PROCESSOR_NAME] = "";
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(name, &length);
    int side = argc > 1 ? atoi(argv[1]) : 200, steps = argc > 2 ? atoi(argv[2]) : 500;
    if (side < size + 2 || steps < 1) MPI_Abort(MPI_COMM_WORLD, 2);

    int *starts = malloc((size_t)size * sizeof *starts), *counts = malloc((size_t)size * sizeof *counts);
    share_out(side, size, starts, counts);
    int above = rank > 0 ? rank - 1 : MPI_PROC_NULL, below = rank < size - 1 ? rank + 1 : MPI_PROC_NULL;
    double *mine = solve_together(counts[rank] / side, side, steps, above, below);
    double *whole = rank == 0 ? plate((size_t)(side - 2) * side) : NULL;
    MPI_Gatherv(mine + side, counts[rank], MPI_DOUBLE, whole, counts, starts, MPI_DOUBLE, 0, MPI_COMM_WORLD);

    char *names = malloc((size_t)size * sizeof name);
    MPI_Gather(name, sizeof name, MPI_CHAR, names, sizeof name, MPI_CHAR, 0, MPI_COMM_WORLD);
    if (rank == 0) {
        for (int r = 0; r < size; r++)
            printf("rank %d of %d on %s: %d rows\n", r, size, names + (size_t)r * sizeof name, counts[r] / side);
        failed = compare(whole, side, steps, size);
    }
    MPI_Bcast(&failed, 1, MPI_INT, 0, MPI_COMM_WORLD);
    free(names);
    free(mine);
    free(whole);
    free(starts);
    free(counts);
    MPI_Finalize();
    return failed;
}
