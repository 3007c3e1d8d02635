#include "command/cost_condition.h"

const struct condition *condition_of(enum condition_id id)
{
    static const struct condition conditions[N_CONDITIONS] = {
#define X(id, text, burst, extra_us, cast_ps, attention_share, peer, slow_network, evidence)                           \
    {text, burst, extra_us, cast_ps, attention_share, peer, slow_network, evidence},
        CONDITIONS(X)
#undef X
    };
    return &conditions[id];
}
