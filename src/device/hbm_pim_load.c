#include "device/hbm_pim_load.h"

/* Of one head; stream_ps 0: not asked for yet. */
struct entry {
    uint64_t stream_ps, alone_ps; /* alone_ps: beyond stream_ps when nothing hides it */
    struct cost cost;
};

struct hbm_pim_table {
    struct hbm_pim_profile pim;
    int64_t width, step, max_tokens;
    int element_bytes, queries;
    uint64_t fill_ps;
    struct entry *entries; /* by ceil(tokens / step) */
};

struct hbm_pim_load {
    struct hbm_pim_table *table;
    int channels;
    uint64_t *stream_ps, *alone_ps; /* [channels], sums */
    int64_t *heads;                 /* [channels] */
    struct cost total;
};

struct hbm_pim_table *hbm_pim_table_new(const struct hbm_pim_profile *pim, int64_t width, int element_bytes,
                                        int queries, int64_t max_tokens, struct arena *arena)
{
    struct hbm_pim_table *table = arena_take(arena, sizeof *table);
    *table = (struct hbm_pim_table){.pim = *pim,
                                    .width = width,
                                    .step = hbm_pim_token_step(pim),
                                    .max_tokens = max_tokens,
                                    .element_bytes = element_bytes,
                                    .queries = queries};
    struct hbm_pim_head head = {1, width, element_bytes, queries};
    table->fill_ps = hbm_pim_fill_ps(pim, &head);
    table->entries = arena_array(arena, (size_t)(max_tokens / table->step + 2), sizeof *table->entries);
    return table;
}

/* A head is priced at the end of its step, so that all numbers of tokens of a step cost the same. */
static const struct entry *entry_of(struct hbm_pim_table *table, int64_t tokens)
{
    if (tokens < 1 || tokens > table->max_tokens)
        bug("%lld tokens in a table of 1 to %lld", (long long)tokens, (long long)table->max_tokens);
    int64_t step = (tokens + table->step - 1) / table->step;
    struct entry *entry = &table->entries[step];
    if (!entry->stream_ps) {
        struct hbm_pim_head head = {step * table->step, table->width, table->element_bytes, table->queries};
        entry->stream_ps = hbm_pim_stream_ps(&table->pim, &head);
        hbm_pim_head_cost(&table->pim, &head, &entry->cost);
        entry->alone_ps = entry->cost.time_ps > entry->stream_ps ? entry->cost.time_ps - entry->stream_ps : 0;
        entry->cost.time_ps = 0;
    }
    return entry;
}

struct hbm_pim_load *hbm_pim_load_new(struct hbm_pim_table *table, struct arena *arena)
{
    struct hbm_pim_load *load = arena_take(arena, sizeof *load);
    int channels = hbm_pim_channels(&table->pim);
    *load = (struct hbm_pim_load){.table = table, .channels = channels};
    load->stream_ps = arena_array(arena, (size_t)channels, sizeof *load->stream_ps);
    load->alone_ps = arena_array(arena, (size_t)channels, sizeof *load->alone_ps);
    load->heads = arena_array(arena, (size_t)channels, sizeof *load->heads);
    return load;
}

static void check_channel(const struct hbm_pim_load *load, int channel)
{
    if (channel < 0 || channel >= load->channels)
        bug("channel %d of %d", channel, load->channels);
}

static void add_cost(struct cost *total, const struct cost *part)
{
    for (int i = 0; i < N_ENERGY_PARTS; i++)
        total->energy_fj[i] += part->energy_fj[i];
    total->flops += part->flops;
    total->bytes += part->bytes;
}

static void subtract_cost(struct cost *total, const struct cost *part)
{
    for (int i = 0; i < N_ENERGY_PARTS; i++)
        total->energy_fj[i] -= part->energy_fj[i];
    total->flops -= part->flops;
    total->bytes -= part->bytes;
}

void hbm_pim_load_add(struct hbm_pim_load *load, int channel, int64_t tokens)
{
    check_channel(load, channel);
    const struct entry *entry = entry_of(load->table, tokens);
    load->heads[channel]++;
    load->stream_ps[channel] += entry->stream_ps;
    load->alone_ps[channel] += entry->alone_ps;
    add_cost(&load->total, &entry->cost);
}

void hbm_pim_load_remove(struct hbm_pim_load *load, int channel, int64_t tokens)
{
    check_channel(load, channel);
    const struct entry *entry = entry_of(load->table, tokens);
    if (!load->heads[channel] || load->stream_ps[channel] < entry->stream_ps)
        bug("no such head in channel %d", channel);
    load->heads[channel]--;
    load->stream_ps[channel] -= entry->stream_ps;
    load->alone_ps[channel] -= entry->alone_ps;
    subtract_cost(&load->total, &entry->cost);
}

void hbm_pim_load_grow(struct hbm_pim_load *load, int channel, int64_t from, int64_t to)
{
    int64_t step = load->table->step;
    if ((from + step - 1) / step == (to + step - 1) / step)
        return;
    hbm_pim_load_remove(load, channel, from);
    hbm_pim_load_add(load, channel, to);
}

static uint64_t channel_ps(const struct hbm_pim_load *load, int channel)
{
    if (!load->heads[channel])
        return 0;
    return load->stream_ps[channel] + (load->heads[channel] == 1 ? load->alone_ps[channel] : load->table->fill_ps);
}

int hbm_pim_load_least(const struct hbm_pim_load *load)
{
    int least = 0;
    for (int c = 1; c < load->channels; c++)
        if (channel_ps(load, c) < channel_ps(load, least))
            least = c;
    return least;
}

void hbm_pim_attention_cost(const struct hbm_pim_load *load, struct cost *cost)
{
    *cost = load->total;
    for (int c = 0; c < load->channels; c++) {
        uint64_t time_ps = channel_ps(load, c);
        if (time_ps > cost->time_ps)
            cost->time_ps = time_ps;
    }
}
