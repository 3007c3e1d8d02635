/* intrinsic.h - training in a random subspace: theta = theta0 + lambda P theta_d.
 *
 * Changes a model's forward graph (any builder's, before autodiff): the parameters that nodes of its layers use are
 * frozen and become parts of blocks theta0; FASTFOOD nodes (kernel/fastfood.h) compute the blocks theta from them and
 * from a trained vector theta_d that starts at zero; the nodes that used a parameter use the same part of theta.
 * Everything else stays as it was, trained or not. A frozen parameter keeps its name and its initial values.
 *
 *   INTRINSIC_ALL    one block, one projection of theta_d[d]                                           ("did")
 *   INTRINSIC_LAYERS one block, one projection (keyed by the layer) and one trained scale lambda, which starts at 1,
 * per layer; all project the same theta_d[d - layers]: the scales count as dimensions    ("said")
 *
 * Source: Li et al. 2018 (arXiv 1804.08838) and Aghajanyan et al. 2020 (arXiv 2012.13255), section 3.
 *
 * New tensors: theta_d; theta0, theta, theta.table (with the projection's random numbers) or layers.{i}.theta0 and so
 * on and layers.{i}.scale; NAME.adapted for each frozen NAME.
 */
#ifndef MODEL_INTRINSIC_H
#define MODEL_INTRINSIC_H

#include "base/status.h"
#include "graph/graph.h"

enum intrinsic_kind { INTRINSIC_ALL, INTRINSIC_LAYERS };

/* Local. Fault STATUS_USAGE, naming train.intrinsic_dim, when theta_d would be empty or longer than a block. A graph
 * without layers is a bug. */
enum status intrinsic_apply(struct graph *graph, enum intrinsic_kind kind, int64_t dim, struct fault *fault);

#endif
