/* attacc.c - what AttAcc's published model and the HBM-PIM device model cost to evaluate.
 *
 * usage: attacc [SECONDS]     (CPU seconds of each figure, default 0.3)
 *
 * Milliseconds of one configuration (GPT-175B, 2048 tokens in, 128 out) on each machine, nothing remembered from one
 * to the next; medians. Then the attention of a serving batch of 64 sequences x 12 heads on one device: new tokens
 * (every sequence one) with the cost of the step, and the cost alone, per second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "attacc/system.h"
#include "base/rng.h"
#include "device/catalogue.h"
#include "device/hbm_pim_load.h"

enum { MAX_TIMES = 2000, SEQUENCES = 64, HEADS = 12 };

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_ms(const struct attacc_config *config, double seconds)
{
    static double times[MAX_TIMES];
    double start_s = now_s();
    int n = 0;
    while (n < MAX_TIMES && (n < 3 || now_s() - start_s < seconds)) {
        struct attacc_output output;
        double t0 = now_s();
        attacc_run(config, &output);
        times[n++] = 1e3 * (now_s() - t0);
    }
    qsort(times, (size_t)n, sizeof *times, ascending);
    return times[n / 2];
}

static void configurations(double seconds)
{
    static const struct {
        const char *name, *pim;
        enum attacc_machine machine;
        int gpus;
    } machines[] = {{"dgx", NULL, ATTACC_DGX, 8},
                    {"2xdgx", NULL, ATTACC_DGX, 16},
                    {"dgx-cpu", NULL, ATTACC_DGX_CPU, 8},
                    {"dgx-attacc bank", "attacc-bank", ATTACC_DGX_PIM, 8},
                    {"dgx-attacc bank-group", "attacc-bank-group", ATTACC_DGX_PIM, 8},
                    {"dgx-attacc buffer", "attacc-buffer", ATTACC_DGX_PIM, 8}};
    static const int batches[] = {1, 4, 16, 64};
    printf("%-22s", "ms a configuration");
    for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++)
        printf("  batch %-3d", batches[b]);
    printf("\n");
    for (size_t m = 0; m < sizeof machines / sizeof machines[0]; m++) {
        printf("%-22s", machines[m].name);
        for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++) {
            struct attacc_config config = {.machine = machines[m].machine,
                                           .gpu = attacc_gpu("A100a"),
                                           .model = attacc_model("GPT-175B"),
                                           .gpus = machines[m].gpus,
                                           .word_bytes = 2,
                                           .lin = 2048,
                                           .lout = 128,
                                           .batch = batches[b]};
            if (machines[m].pim) {
                config.pim = catalogue_hbm_pim(machines[m].pim);
                config.pipeline = config.ff_split = 1;
            }
            printf("  %9.3f", median_ms(&config, seconds));
        }
        printf("\n");
    }
}

static void serving(double seconds)
{
    struct arena *arena = arena_new();
    struct hbm_pim_table *table = hbm_pim_table_new(catalogue_hbm_pim("attacc-bank"), 128, 2, 1, 1 << 16, arena);
    struct hbm_pim_load *load = hbm_pim_load_new(table, arena);
    int64_t tokens[SEQUENCES];
    uint64_t sum_ps = 0;
    struct cost cost;
    for (uint64_t s = 0; s < SEQUENCES; s++) {
        tokens[s] = 1000 + (int64_t)rng_below(rng_key(1, RNG_SYNTH, 0), 0, s, 2000);
        for (int h = 0; h < HEADS; h++)
            hbm_pim_load_add(load, (int)((s * HEADS + (uint64_t)h) % 80), tokens[s]);
    }
    double start_s = now_s();
    long steps = 0, costs = 0;
    for (; now_s() - start_s < seconds && tokens[0] < 60000; steps++) {
        for (int s = 0; s < SEQUENCES; s++) {
            for (int h = 0; h < HEADS; h++)
                hbm_pim_load_grow(load, (s * HEADS + h) % 80, tokens[s], tokens[s] + 1);
            tokens[s]++;
        }
        hbm_pim_attention_cost(load, &cost);
        sum_ps += cost.time_ps;
    }
    double step_s = (now_s() - start_s) / (double)steps;
    for (start_s = now_s(); now_s() - start_s < seconds;)
        for (int i = 0; i < 1000; i++, costs++) {
            hbm_pim_attention_cost(load, &cost);
            sum_ps += cost.time_ps;
        }
    double cost_s = (now_s() - start_s) / (double)costs;
    printf("%d sequences x %d heads: %.2f us a step of %d new tokens (%.0f million tokens/s), %.0f ns a cost (%s)\n",
           SEQUENCES, HEADS, 1e6 * step_s, SEQUENCES, 1e-6 * SEQUENCES / step_s, 1e9 * cost_s,
           sum_ps > 0 ? "busiest of 80 channels" : "nothing");
    arena_free(arena);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.3;
    configurations(seconds);
    serving(seconds);
    return 0;
}
