/* kv_partition.h - which PIM device at a GPU holds what of the KV cache.
 *
 * Heads are dealt to groups of devices, the tokens of a head in pieces to the shards of its group; device g * shards +
 * s is shard s of group g. A piece is a block of the cache divided by the shards, rounded up: so every shard has a part
 * of every block, of the same size when the shards divide it, and what is full is known however long the sequences are.
 * (Whole blocks dealt in turn would all be on the first shard when sequences are short.) Policies:
 *
 *     heads     one shard: whole heads on each device; devices beyond the number of KV heads stay idle
 *     sequence  one group: every device has a share of every sequence's tokens
 *     hybrid    as many groups as there can be without an idle device: the largest number of groups that divides the
 *               devices and is not above the KV heads
 *     auto      what costs least of all that have the room (decoder_plan.h prices them)
 */
#ifndef SCHEDULER_KV_PARTITION_H
#define SCHEDULER_KV_PARTITION_H

#include <stdint.h>

enum { KV_MOST_DEVICES = 32 };

struct kv_partition {
    int64_t groups, shards;
};

/* Local. The partition of a policy ("heads", "sequence", "hybrid") for `devices` >= 1 devices and `kv_heads` >= 1 KV
 * heads. More than KV_MOST_DEVICES devices at a GPU are a bug() here: decoder_plan_build refuses them. */
struct kv_partition kv_partition_of(const char *policy, int64_t devices, int64_t kv_heads);

/* Local. Candidate i = 0, 1, ... of policy auto: partitions into 1 to 8 groups, 16, 32 and the policies' numbers, each
 * of 1 to 8 shards, 16, 32 and as many as there can be; also those that leave devices idle, since short contexts are
 * not worth the messages. 0 when there are no more. */
int kv_partition_candidate(int i, int64_t devices, int64_t kv_heads, struct kv_partition *partition);

/* Local. Tokens of a piece: a block of block_tokens has no more than these on one shard. */
int64_t kv_partition_piece(const struct kv_partition *partition, int64_t block_tokens);

/* Local. The device (0 .. devices-1) that holds KV head `head` of token `token`. */
int64_t kv_partition_owner(const struct kv_partition *partition, int64_t kv_heads, int64_t shard_block, int64_t head,
                           int64_t token);

#endif
