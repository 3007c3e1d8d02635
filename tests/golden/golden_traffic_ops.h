/* golden_traffic_ops.h - single ops in the layout of the traffic files: in_*, out, d_out, d_*. A part of check_golden.c.
 */
#ifndef TESTS_GOLDEN_GOLDEN_TRAFFIC_OPS_H
#define TESTS_GOLDEN_GOLDEN_TRAFFIC_OPS_H
static int is_traffic_ops(struct golden *golden) { return h5_exists(golden->file, "/gelu_erf/in_x"); }
static void check_traffic_ops(struct golden *golden) { golden_skip(golden, "ops", "later"); }
#endif
