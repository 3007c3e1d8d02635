/* main.c - MPI on and off, the table of verbs, one message, the exit status. */
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "cluster/comm.h"
#include "cluster/interrupt.h"
#include "command/command.h"
#include "command/version.h"
#include "kernel/blas.h"

static void print_usage(FILE *out)
{
    fprintf(out, "polyrank - emulates heterogeneous AI machines: real arithmetic, virtual time, energy and wear\n\n"
                 "usage: polyrank VERB [ARGUMENTS]        (alone, under mpirun -n N, or under srun)\n\n");
    for (const struct command *c = commands(); c->name; c++)
        fprintf(out, "  %-9s %s\n", c->name, c->summary);
    fprintf(out,
            "\n"
            "  polyrank VERB --help     options of a verb\n"
            "  polyrank --version       version, MPI, HDF5, BLAS and the kernels in use\n\n"
            "examples:\n"
            "  polyrank plan jobs/wind.yaml                      what would run where, time and energy; runs nothing\n"
            "  mpirun -n 5 polyrank train jobs/wind.yaml         one scheduler and four emulated GPUs\n"
            "  polyrank train jobs/wind.yaml --set train.epochs=2 --timing-only\n"
            "  polyrank cost a100-80g gemm 4096x4096x4096 --math bf16\n\n"
            "exit status: 0 ok, 1 failed, 2 usage or bad input, 3 validation failed, 4 I/O,\n"
            "  5 an emulated device failed for good, 75 stopped early with a checkpoint (the same command goes on)\n");
}

static const struct command *find_command(const char *name, struct fault *fault)
{
    const char *names[32];
    size_t n = 0;
    for (const struct command *c = commands(); c->name; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
        names[n++] = c->name;
    }
    const char *near = nearest_word(name, names, n);
    if (near)
        fault_set(fault, STATUS_USAGE, "unknown verb '%s': did you mean '%s'?", name, near);
    else
        fault_set(fault, STATUS_USAGE, "unknown verb '%s': polyrank --help lists the verbs", name);
    return NULL;
}

static int asks_for_help(int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return 1;
    return 0;
}

static int is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return word && (strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0);
}

/* Runs what was asked for on the ranks that it needs; every rank returns with the same fault. */
static void run(struct comm *comm, const struct command *command, int argc, char **argv, struct fault *fault)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    int is_first = comm_rank(comm) == 0;
    if (!command) {
        if (is_first && is_one_of(word, "--help", "-h", "help"))
            print_usage(stdout);
        else if (is_first && is_one_of(word, "--version", "-V", "version"))
            version_print(comm, stdout);
        else if (!word)
            fault_set(fault, STATUS_USAGE, "no verb: polyrank --help lists the verbs");
        return;
    }
    if (command->where != ON_ONE && !asks_for_help(argc, argv)) {
        command->run(comm, argc - 1, argv + 1, fault);
        return;
    }
    if (is_first)
        command->run(NULL, argc - 1, argv + 1, fault);
    agree(comm, 0, fault);
}

int main(int argc, char **argv)
{
    struct fault fault = FAULT_NONE;
    struct comm *comm = NULL;
    const struct command *command = NULL;
    blas_select(argv);
    int is_word =
        argc > 1 && !is_one_of(argv[1], "--help", "-h", "help") && !is_one_of(argv[1], "--version", "-V", "version");
    if (is_word)
        command = find_command(argv[1], &fault);
    if (command && command->where == ON_ALL_STOPPABLE && !asks_for_help(argc, argv))
        interrupts_watch(); /* before MPI starts: a batch system may send its signal at any time */
    comm_open(&argc, &argv, command && command->where != ON_ONE, &comm, &fault);
    if (fault.status == STATUS_OK)
        run(comm, command, argc, argv, &fault);
    fflush(stdout);
    if (fault.status != STATUS_OK && (comm_rank(comm) == 0 || comm_is_lost(comm)))
        fprintf(stderr, "polyrank: %s\n", fault.text);
    comm_close(comm, (int)fault.status);
    return (int)fault.status;
}
