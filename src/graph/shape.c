#include "graph/shape.h"

static void check(const struct graph *graph, const struct node *node, const char *side, int i, int tensor, int64_t expected,
                  int may_be_absent)
{
    if (tensor == NO_TENSOR) {
        if (!may_be_absent)
            bug("%s (%s): %s operand %d is missing", node->name, op_name(node->op.kind), side, i);
        return;
    }
    if (tensor < 0 || tensor >= graph->n_tensors)
        bug("%s (%s): %s operand %d is no tensor", node->name, op_name(node->op.kind), side, i);
    if (graph->tensors[tensor].elements != expected)
        bug("%s (%s): %s operand %d, %s, has %lld elements; expected %lld", node->name, op_name(node->op.kind), side, i,
            graph->tensors[tensor].name, (long long)graph->tensors[tensor].elements, (long long)expected);
}

/* Elements of each operand by the op's list (kernel/op.h); negative: may be absent; 0: not used, must be absent. */
struct operands {
    int64_t in[OP_MAX_IN], out[OP_MAX_OUT];
};

static struct operands attention_operands(const struct op *op, int backward)
{
    int64_t width = op->heads * op->head_width, q = op->samples * op->n_query * width, k = op->samples * op->n_key * width;
    int64_t p = op->samples * op->heads * op->n_query * op->n_key;
    struct operands packed = {{3 * q}, {q, -p}}, apart = {{q, k, k}, {q, -p}};
    struct operands packed_bwd = {{q, 3 * q, 0, 0, p}, {3 * q}}, apart_bwd = {{q, q, k, k, p}, {q, k, k}};
    if (backward)
        return op->packed ? packed_bwd : apart_bwd;
    return op->packed ? packed : apart;
}

static struct operands operands_of(const struct op *op)
{
    int64_t x = op->rows * op->in, y = op->rows * op->out, w = op->out * op->in, b = op->samples * op->out;
    switch (op->kind) {
    case OP_LINEAR:
        return (struct operands){{x, w, -op->out}, {y, -y}};
    case OP_LINEAR_DX:
        return (struct operands){{y, w}, {x}};
    case OP_LINEAR_DW:
        return (struct operands){{y, x}, {w, -op->out}};
    case OP_ACT_BWD:
        return (struct operands){{y, y}, {y}};
    case OP_ATTENTION:
        return attention_operands(op, 0);
    case OP_ATTENTION_BWD:
        return attention_operands(op, 1);
    case OP_NORM:
        return (struct operands){{x, -x, op->in, op->in}, {x, -x, 2 * op->rows}};
    case OP_NORM_BWD:
        return (struct operands){{x, x, 2 * op->rows, op->in}, {x, -x, -op->in, -op->in}};
    case OP_ADD:
        return (struct operands){{op->rows, op->rows}, {op->rows}};
    case OP_ADD_POS:
        return (struct operands){{x, op->rows / op->samples * op->in}, {x}};
    case OP_CONCAT:
        return (struct operands){{x, y}, {x + y}};
    case OP_SPLIT:
        return (struct operands){{x + y}, {-x, -y}};
    case OP_LOSS:
        return (struct operands){{b, b, -b}, {2, -b}};
    case OP_SQUARE_SUM:
        return (struct operands){{op->rows}, {1}};
    default:
        return (struct operands){{0}, {0}};
    }
}

static int is_checked(enum op_kind kind)
{
    return kind <= OP_SQUARE_SUM && kind != OP_ADD_LAST;
}

void shape_check(const struct graph *graph, const struct node *node)
{
    if (!is_checked(node->op.kind))
        return;
    struct operands expected = operands_of(&node->op);
    for (int i = 0; i < OP_MAX_IN; i++)
        check(graph, node, "input", i, node->in[i], expected.in[i] < 0 ? -expected.in[i] : expected.in[i],
              expected.in[i] <= 0);
    for (int i = 0; i < OP_MAX_OUT; i++)
        check(graph, node, "output", i, node->out[i], expected.out[i] < 0 ? -expected.out[i] : expected.out[i],
              expected.out[i] <= 0);
}
