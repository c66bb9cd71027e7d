/* A ring: in every round each rank sends a block to the next one, until each has had a block of every other.
 * All that arrives is checked, number by number. Rank 0 prints where the ranks are and what they checked;
 * the program ends with 1 if anything was wrong. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 4096, NAME = MPI_MAX_PROCESSOR_NAME };

/* Number i of the block that began at a rank: no two ranks have the same. */
static long expected(int origin, int i) { return origin * 1000003L + i * 31L; }

/* How many numbers of a block are not those of its origin. */
static long wrong_numbers(const long *block, int origin) {
    long wrong = 0;
    for (int i = 0; i < NUMBERS; i++) wrong += block[i] != expected(origin, i);
    return wrong;
}

/* Pass blocks around once; answers how many numbers were wrong. The caller's own block comes back last. */
static long go_around(int rank, int size) {
    long held[NUMBERS], next[NUMBERS], wrong = 0;
    int after = (rank + 1) % size, before = (rank - 1 + size) % size;
    for (int i = 0; i < NUMBERS; i++) held[i] = expected(rank, i);
    for (int round = 1; round <= size; round++) {
        MPI_Sendrecv(held, NUMBERS, MPI_LONG, after, round, next, NUMBERS, MPI_LONG, before, round, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        wrong += wrong_numbers(next, ((rank - round) % size + size) % size);
        memcpy(held, next, sizeof held);
    }
    return wrong;
}

int main(int argc, char **argv) {
    int rank, size, length;
    char name[NAME] = "";
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(name, &length);

    long wrong = go_around(rank, size), all_wrong = 0;
    char *names = malloc((size_t)size * NAME);
    long *each = malloc((size_t)size * sizeof *each);
    MPI_Gather(name, NAME, MPI_CHAR, names, NAME, MPI_CHAR, 0, MPI_COMM_WORLD);
    MPI_Gather(&wrong, 1, MPI_LONG, each, 1, MPI_LONG, 0, MPI_COMM_WORLD);
    MPI_Allreduce(&wrong, &all_wrong, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0) {
        for (int r = 0; r < size; r++)
            printf("rank %d of %d on %s: %d messages, %ld wrong\n", r, size, names + (size_t)r * NAME, size, each[r]);
        printf("ring: %s\n", all_wrong ? "WRONG" : "every message was right");
    }
    free(names);
    free(each);
    MPI_Finalize();
    return all_wrong != 0;
}
