#include "scheduler/kv_partition.h"

#include <string.h>

#include "base/status.h"
#include "kernel/op.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct kv_partition kv_partition_of(const char *policy, int64_t devices, int64_t kv_heads)
{
    int64_t groups = smaller(devices, kv_heads);
    if (devices > KV_MOST_DEVICES)
        bug("%lld devices share a KV cache", (long long)devices);
    if (strcmp(policy, "heads") == 0)
        return (struct kv_partition){groups, 1};
    if (strcmp(policy, "sequence") == 0)
        return (struct kv_partition){1, devices};
    if (strcmp(policy, "hybrid") != 0)
        bug("partition policy %s", policy);
    while (devices % groups != 0)
        groups--;
    return (struct kv_partition){groups, devices / groups};
}

/* Numbers that are worth a look. */
static int is_round(int64_t n)
{
    return n <= 8 || (n & (n - 1)) == 0;
}

int kv_partition_candidate(int i, int64_t devices, int64_t kv_heads, struct kv_partition *partition)
{
    int64_t most = smaller(devices, kv_heads), hybrid = kv_partition_of("hybrid", devices, kv_heads).groups;
    for (int64_t groups = 1; groups <= most; groups++)
        for (int64_t shards = 1; shards <= devices / groups; shards++) {
            int is_looked_at = (is_round(groups) || groups == most || groups == hybrid) &&
                               (is_round(shards) || shards == devices / groups);
            if (!is_looked_at || i-- > 0)
                continue;
            *partition = (struct kv_partition){groups, shards};
            return 1;
        }
    return 0;
}

/* Pieces go round in at least block_tokens: a block meets each shard once. */
int64_t kv_partition_piece(const struct kv_partition *partition, int64_t block_tokens)
{
    return (block_tokens + partition->shards - 1) / partition->shards;
}

int64_t kv_partition_owner(const struct kv_partition *partition, int64_t kv_heads, int64_t shard_block, int64_t head,
                           int64_t token)
{
    int64_t group = 0, first, n;
    while (n = op_group_heads(kv_heads, partition->groups, group, &first), head >= first + n)
        group++;
    return group * partition->shards + token / shard_block % partition->shards;
}
