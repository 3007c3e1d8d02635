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
    devices = smaller(devices, KV_MOST_DEVICES);
    int64_t groups = smaller(devices, kv_heads);
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

int kv_partition_candidate(int i, int64_t devices, int64_t kv_heads, struct kv_partition *partition)
{
    devices = smaller(devices, KV_MOST_DEVICES);
    for (int64_t groups = 1; groups <= smaller(devices, kv_heads); i -= (int)(devices / groups), groups++)
        if (i < devices / groups) {
            *partition = (struct kv_partition){groups, i + 1};
            return 1;
        }
    return 0;
}

int64_t kv_partition_owner(const struct kv_partition *partition, int64_t kv_heads, int64_t shard_block, int64_t head,
                           int64_t token)
{
    int64_t group = 0, first, n;
    while (n = op_group_heads(kv_heads, partition->groups, group, &first), head >= first + n)
        group++;
    return group * partition->shards + token / shard_block % partition->shards;
}
