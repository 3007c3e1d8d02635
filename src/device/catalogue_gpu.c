#include "device/catalogue_list.h"

/* Each list X(field, value, evidence, source) makes both a profile and its printed table. Lists are split where
 * profiles share: a chip, its memory, its power. */

#define VOLTA(X)                                                                                                       \
    X(sm_count, 80, SOURCE, "NVIDIA V100 data sheet")                                                                  \
    X(clock_hz, 1530e6, SOURCE, "NVIDIA V100 data sheet")                                                              \
    X(fp64_flops_per_s, 7.8e12, RECALLED, "NVIDIA V100 data sheet")                                                    \
    X(fp32_flops_per_s, 15.7e12, RECALLED, "NVIDIA V100 data sheet")                                                   \
    X(tf32_flops_per_s, 0, SOURCE, "no such unit")                                                                     \
    X(bf16_flops_per_s, 0, SOURCE, "no such unit")                                                                     \
    X(fp16_flops_per_s, 125e12, SOURCE, "NVIDIA V100 data sheet")                                                      \
    X(fp8_flops_per_s, 0, SOURCE, "no such unit")                                                                      \
    X(int8_flops_per_s, 0, SOURCE, "no matrix unit for int8")                                                          \
    X(memory_bytes, 34359738368, SOURCE, "NVIDIA V100 data sheet, 32 GiB")                                             \
    X(dram_bytes_per_s, 900e9, SOURCE, "NVIDIA V100 data sheet")                                                       \
    X(dram_read_share, 0.90, SOURCE, "gpu-benches triad 814 GB/s (PCIe card)")                                         \
    X(dram_write_share, 0.6, DERIVED, "as A100 and H200")                                                              \
    X(l2_bytes, 6291456, SOURCE, "NVIDIA V100 data sheet")                                                             \
    X(l2_bytes_per_s, 2400e9, SOURCE, "gpu-benches L2, 2300-2500 GB/s")                                                \
    X(launch_ps, 4000000, RECALLED, "back-to-back kernels of a stream")                                                \
    X(matrix_share, 0.88, RECALLED, "best cuBLAS fp16 GEMM about 110 TFLOP/s")                                         \
    X(sustained_share, 0.90, DERIVED, "as A100")                                                                       \
    X(k_step_ps, 4240, DERIVED, "as A100, by clock")                                                                   \
    X(last_wave_share, 0.95, DERIVED, "as A100")                                                                       \
    X(split_ps, 1870000, DERIVED, "as A100")                                                                           \
    X(overlap_loss, 0.45, DERIVED, "as A100")                                                                          \
    X(attention_share, 0.5, DERIVED, "A100 less its asynchronous copies")                                              \
    X(attention_backward_share, 0.8, DERIVED, "as A100")                                                               \
    X(attention_block_ps, 1400000, DERIVED, "as A100")                                                                 \
    X(attention_single_block_ps, 2330000, DERIVED, "as A100")                                                          \
    X(attention_key_ps, 21200, DERIVED, "as A100")                                                                     \
    X(attention_memory_share, 0.85, DERIVED, "as A100")                                                                \
    X(attention_rows, 64, DERIVED, "as A100")                                                                          \
    X(attention_packs, 0, DERIVED, "as A100")                                                                          \
    X(attention_split_ps, 8600000, DERIVED, "as A100")                                                                 \
    X(attention_group_ps, 5640000, DERIVED, "as A100")                                                                 \
    X(attention_split_target, 1024, DERIVED, "as A100")                                                                \
    X(attention_split_single, 0, DERIVED, "as A100")                                                                   \
    X(attention_overlap_loss, 0.155, DERIVED, "as A100")                                                               \
    X(idle_power_mw, 40000, RECALLED, "nvidia-smi, idle")                                                              \
    X(base_power_mw, 55000, DERIVED, "as A100 by power limit")                                                         \
    X(tdp_mw, 300000, SOURCE, "NVIDIA V100 data sheet, SXM2")                                                          \
    X(dram_fj_per_byte, 130e3, RECALLED, "A100 value, HBM2 at a higher voltage share")                                 \
    X(l2_fj_per_byte, 2400, SOURCE, "AttAcc artifact")                                                                 \
    X(fp64_fj_per_flop, 13000, DERIVED, "twice fp32")                                                                  \
    X(fp32_fj_per_flop, 6500, RECALLED, "A100 value, 12 nm")                                                           \
    X(tf32_fj_per_flop, 0, SOURCE, "no such unit")                                                                     \
    X(bf16_fj_per_flop, 1900, DERIVED, "(300 W - base - memory) / 110 TFLOP/s")                                        \
    X(fp8_fj_per_flop, 0, SOURCE, "no such unit")

#define AMPERE(X)                                                                                                      \
    X(sm_count, 108, SOURCE, "NVIDIA A100 data sheet")                                                                 \
    X(clock_hz, 1410e6, SOURCE, "NVIDIA A100 data sheet")                                                              \
    X(fp64_flops_per_s, 19.5e12, RECALLED, "NVIDIA A100 data sheet, tensor cores")                                     \
    X(fp32_flops_per_s, 19.5e12, RECALLED, "NVIDIA A100 data sheet")                                                   \
    X(tf32_flops_per_s, 156e12, SOURCE, "NVIDIA A100 data sheet, dense")                                               \
    X(bf16_flops_per_s, 312e12, SOURCE, "NVIDIA A100 data sheet, dense")                                               \
    X(fp16_flops_per_s, 312e12, SOURCE, "NVIDIA A100 data sheet, dense")                                               \
    X(fp8_flops_per_s, 0, SOURCE, "no such unit")                                                                      \
    X(int8_flops_per_s, 624e12, SOURCE, "NVIDIA A100 data sheet, dense")                                               \
    X(l2_bytes, 41943040, SOURCE, "NVIDIA A100 data sheet")                                                            \
    X(l2_bytes_per_s, 5400e9, SOURCE, "gpu-benches L2, below 20 MB")                                                   \
    X(launch_ps, 3020000, FITTED, "aiconfigurator A100 bf16 GEMM, every 8th row of 3626")                              \
    X(matrix_share, 0.95, FITTED, "aiconfigurator A100 bf16 GEMM, every 8th row of 3626")                              \
    X(sustained_share, 0.90, FITTED, "Vidur A100 GEMM, every 8th row of 474")                                          \
    X(k_step_ps, 4600, FITTED, "aiconfigurator A100 bf16 GEMM, every 8th row of 3626")                                 \
    X(last_wave_share, 0.95, FITTED, "aiconfigurator A100 bf16 GEMM, every 8th row of 3626")                           \
    X(split_ps, 1870000, FITTED, "aiconfigurator A100 bf16 GEMM, every 8th row of 3626")                               \
    X(overlap_loss, 0.45, FITTED, "aiconfigurator A100 bf16 GEMM, every 8th row of 3626")                              \
    X(attention_share, 0.58, FITTED, "aiconfigurator A100 attention, every 8th row of 4212")                           \
    X(attention_backward_share, 0.8, DERIVED, "FlashAttention-2 on H100, backward 190-299 to forward 252-312")         \
    X(attention_block_ps, 1400000, FITTED, "aiconfigurator A100 attention, every 8th row of 4212")                     \
    X(attention_single_block_ps, 2330000, FITTED, "aiconfigurator A100 attention, every 8th row of 4212")              \
    X(attention_key_ps, 21200, FITTED, "aiconfigurator A100 attention, every 8th row of 4212")                         \
    X(attention_memory_share, 0.87, FITTED, "aiconfigurator A100 attention, every 8th row of 4212")                    \
    X(attention_rows, 64, FITTED, "aiconfigurator A100 attention, every 8th row of 4212")                              \
    X(attention_packs, 0, FITTED, "aiconfigurator A100 attention, every 8th row of 4212")                              \
    X(attention_split_ps, 8600000, FITTED, "aiconfigurator A100 attention, every 8th row of 4212")                     \
    X(attention_group_ps, 5640000, FITTED, "aiconfigurator A100 attention, every 8th row of 4212")                     \
    X(attention_split_target, 1024, FITTED, "aiconfigurator A100 attention: no limit seen")                            \
    X(attention_split_single, 0, FITTED, "aiconfigurator A100 attention, rows with one head per key head")             \
    X(attention_overlap_loss, 0.155, FITTED, "aiconfigurator A100 attention, every 8th row of 4212")                   \
    X(idle_power_mw, 55000, RECALLED, "nvidia-smi, idle")                                                              \
    X(base_power_mw, 66000, FITTED, "gpu-benches roofline power, A100-40G, 43 points, 0.8 %")                          \
    X(l2_fj_per_byte, 2400, SOURCE, "AttAcc artifact")                                                                 \
    X(fp64_fj_per_flop, 10200, DERIVED, "twice fp32")                                                                  \
    X(fp32_fj_per_flop, 5100, FITTED, "gpu-benches roofline power, A100-40G, 43 points, 0.8 %")                        \
    X(tf32_fj_per_flop, 2000, DERIVED, "twice bf16")                                                                   \
    X(bf16_fj_per_flop, 1000, DERIVED, "(400 W - base - memory) / 290 TFLOP/s, 1.0-1.1 pJ")                            \
    X(fp8_fj_per_flop, 500, DERIVED, "half of bf16")

#define AMPERE_40G(X)                                                                                                  \
    X(memory_bytes, 42949672960, SOURCE, "NVIDIA A100 data sheet, 40 GiB")                                             \
    X(dram_bytes_per_s, 1555e9, SOURCE, "NVIDIA A100 data sheet")                                                      \
    X(dram_read_share, 0.85, DERIVED, "as the 80 GB card")                                                             \
    X(dram_write_share, 0.54, DERIVED, "as the 80 GB card")                                                            \
    X(tdp_mw, 400000, SOURCE, "NVIDIA A100 data sheet, SXM4")                                                          \
    X(dram_fj_per_byte, 117e3, FITTED, "gpu-benches roofline power, 43 points, 0.8 %")

#define AMPERE_80G(X)                                                                                                  \
    X(memory_bytes, 85899345920, SOURCE, "NVIDIA A100 data sheet, 80 GiB")                                             \
    X(dram_bytes_per_s, 2039e9, SOURCE, "NVIDIA A100 data sheet")                                                      \
    X(dram_read_share, 0.85, FITTED, "aiconfigurator A100 bf16 GEMM, every 8th row of 3626")                           \
    X(dram_write_share, 0.54, FITTED, "aiconfigurator A100 bf16 GEMM, every 8th row of 3626")                          \
    X(tdp_mw, 400000, SOURCE, "NVIDIA A100 data sheet, SXM4")                                                          \
    X(dram_fj_per_byte, 117e3, DERIVED, "as the 40 GB card")

#define AMPERE_HBM3(X)                                                                                                 \
    X(memory_bytes, 85899345920, SOURCE, "AttAcc artifact, GPU A100a")                                                 \
    X(dram_bytes_per_s, 3352e9, SOURCE, "AttAcc artifact, GPU A100a: five HBM3 stacks at 5.2 Gbit/s")                  \
    X(dram_read_share, 0.85, SOURCE, "AttAcc artifact")                                                                \
    X(dram_write_share, 0.54, DERIVED, "as the 80 GB card")                                                            \
    X(tdp_mw, 550000, DERIVED, "the 80 GB card and 1313 GB/s x 117 pJ/byte more of memory traffic")                    \
    X(dram_fj_per_byte, 117e3, DERIVED, "as the 40 GB card; the artifact counts 28.7 pJ/byte in the stack alone")

#define HOPPER(X)                                                                                                      \
    X(sm_count, 132, SOURCE, "NVIDIA H100 data sheet")                                                                 \
    X(fp64_flops_per_s, 67e12, SOURCE, "NVIDIA H100 data sheet, tensor cores")                                         \
    X(fp32_flops_per_s, 67e12, SOURCE, "NVIDIA H100 data sheet")                                                       \
    X(tf32_flops_per_s, 494e12, SOURCE, "NVIDIA H100 data sheet, dense")                                               \
    X(bf16_flops_per_s, 989e12, SOURCE, "NVIDIA H100 data sheet, dense")                                               \
    X(fp16_flops_per_s, 989e12, SOURCE, "NVIDIA H100 data sheet, dense")                                               \
    X(fp8_flops_per_s, 1979e12, SOURCE, "NVIDIA H100 data sheet, dense")                                               \
    X(int8_flops_per_s, 1979e12, SOURCE, "NVIDIA H100 data sheet, dense")                                              \
    X(l2_bytes, 52428800, SOURCE, "NVIDIA H100 data sheet")                                                            \
    X(attention_backward_share, 0.8, DERIVED, "FlashAttention-2 on H100, backward 190-299 to forward 252-312")         \
    X(attention_rows, 128, FITTED, "aiconfigurator H100 and H200 attention, every 8th row")                            \
    X(attention_packs, 1, FITTED, "aiconfigurator H100 and H200 attention, every 8th row")                             \
    X(attention_group_ps, 0, FITTED, "aiconfigurator H100 and H200 attention: none seen")                              \
    X(attention_split_target, 32, FITTED, "aiconfigurator H100 and H200 attention, long keys and few requests")        \
    X(attention_split_single, 1, FITTED, "aiconfigurator H100 and H200 attention")                                     \
    X(tdp_mw, 700000, SOURCE, "NVIDIA H100 and H200 data sheets, SXM5")                                                \
    X(l2_fj_per_byte, 2400, SOURCE, "AttAcc artifact")                                                                 \
    X(fp64_fj_per_flop, 6500, DERIVED, "(700 W - base - memory) / 67 TFLOP/s, less a quarter")                         \
    X(tf32_fj_per_flop, 1300, DERIVED, "twice bf16")                                                                   \
    X(bf16_fj_per_flop, 650, DERIVED, "(700 W - base - memory) / 795 TFLOP/s")                                         \
    X(fp8_fj_per_flop, 325, DERIVED, "half of bf16")

#define H100(X)                                                                                                        \
    X(clock_hz, 1830e6, SOURCE, "clock of the data sheet's peak rates")                                                \
    X(memory_bytes, 85899345920, SOURCE, "NVIDIA H100 data sheet, 80 GiB")                                             \
    X(dram_bytes_per_s, 3350e9, SOURCE, "NVIDIA H100 data sheet")                                                      \
    X(dram_read_share, 0.93, FITTED, "aiconfigurator H100 bf16 GEMM, every 8th row of 3738")                           \
    X(dram_write_share, 0.81, FITTED, "aiconfigurator H100 bf16 GEMM, every 8th row of 3738")                          \
    X(l2_bytes_per_s, 7500e9, SOURCE, "gpu-benches L2, 6900-7700 GB/s (PCIe card)")                                    \
    X(launch_ps, 2550000, FITTED, "aiconfigurator H100 bf16 GEMM, every 8th row of 3738")                              \
    X(matrix_share, 0.915, FITTED, "aiconfigurator H100 bf16 GEMM, every 8th row of 3738")                             \
    X(sustained_share, 0.835, FITTED, "Vidur H100 GEMM, every 8th row of 514")                                         \
    X(k_step_ps, 1370, FITTED, "aiconfigurator H100 bf16 GEMM, every 8th row of 3738")                                 \
    X(last_wave_share, 0.05, FITTED, "aiconfigurator H100 bf16 GEMM, every 8th row of 3738")                           \
    X(split_ps, 2820000, FITTED, "aiconfigurator H100 bf16 GEMM, every 8th row of 3738")                               \
    X(overlap_loss, 0.28, FITTED, "aiconfigurator H100 bf16 GEMM, every 8th row of 3738")                              \
    X(attention_share, 0.62, FITTED, "aiconfigurator H100 attention, every 8th row of 4249")                           \
    X(attention_block_ps, 3000000, FITTED, "aiconfigurator H100 attention, every 8th row of 4249")                     \
    X(attention_single_block_ps, 2600000, FITTED, "aiconfigurator H100 attention, every 8th row of 4249")              \
    X(attention_key_ps, 16000, FITTED, "aiconfigurator H100 attention, every 8th row of 4249")                         \
    X(attention_memory_share, 0.78, FITTED, "aiconfigurator H100 attention, every 8th row of 4249")                    \
    X(attention_split_ps, 1280000, FITTED, "aiconfigurator H100 attention, every 8th row of 4249")                     \
    X(attention_overlap_loss, 0.17, FITTED, "aiconfigurator H100 attention, every 8th row of 4249")                    \
    X(idle_power_mw, 70000, RECALLED, "nvidia-smi, idle")                                                              \
    X(base_power_mw, 105000, DERIVED, "as H200")                                                                       \
    X(dram_fj_per_byte, 122e3, DERIVED, "as H200")                                                                     \
    X(fp32_fj_per_flop, 5800, DERIVED, "as H200")

#define H200(X)                                                                                                        \
    X(clock_hz, 1980e6, SOURCE, "NVIDIA H200 data sheet")                                                              \
    X(memory_bytes, 151397597184, SOURCE, "NVIDIA H200 data sheet, 141 GB")                                            \
    X(dram_bytes_per_s, 4800e9, SOURCE, "NVIDIA H200 data sheet")                                                      \
    X(dram_read_share, 0.886, FITTED, "aiconfigurator H200 bf16 GEMM, every 8th row of 14315")                         \
    X(dram_write_share, 0.614, FITTED, "aiconfigurator H200 bf16 GEMM, every 8th row of 14315")                        \
    X(l2_bytes_per_s, 10000e9, SOURCE, "gpu-benches L2, 9700-10500 GB/s")                                              \
    X(launch_ps, 2530000, FITTED, "aiconfigurator H200 bf16 GEMM, every 8th row of 14315")                             \
    X(matrix_share, 0.834, FITTED, "aiconfigurator H200 bf16 GEMM, every 8th row of 14315")                            \
    X(sustained_share, 0.92, DERIVED, "sustained rate of the H100: its power limit is the same")                       \
    X(k_step_ps, 1600, FITTED, "aiconfigurator H200 bf16 GEMM, every 8th row of 14315")                                \
    X(last_wave_share, 0.0, FITTED, "aiconfigurator H200 bf16 GEMM, every 8th row of 14315")                           \
    X(split_ps, 2870000, FITTED, "aiconfigurator H200 bf16 GEMM, every 8th row of 14315")                              \
    X(overlap_loss, 0.2, FITTED, "aiconfigurator H200 bf16 GEMM, every 8th row of 14315")                              \
    X(attention_share, 0.62, FITTED, "aiconfigurator H200 attention, every 8th row of 4225")                           \
    X(attention_block_ps, 3150000, FITTED, "aiconfigurator H200 attention, every 8th row of 4225")                     \
    X(attention_single_block_ps, 2620000, FITTED, "aiconfigurator H200 attention, every 8th row of 4225")              \
    X(attention_key_ps, 17000, FITTED, "aiconfigurator H200 attention, every 8th row of 4225")                         \
    X(attention_memory_share, 0.65, FITTED, "aiconfigurator H200 attention, every 8th row of 4225")                    \
    X(attention_split_ps, 1260000, FITTED, "aiconfigurator H200 attention, every 8th row of 4225")                     \
    X(attention_overlap_loss, 0.0, FITTED, "aiconfigurator H200 attention, every 8th row of 4225")                     \
    X(idle_power_mw, 75000, RECALLED, "nvidia-smi, idle")                                                              \
    X(base_power_mw, 105000, FITTED, "gpu-benches roofline power, H200, 55 points, 0.7 %")                             \
    X(dram_fj_per_byte, 122e3, FITTED, "gpu-benches roofline power, H200, 55 points, 0.7 %")                           \
    X(fp32_fj_per_flop, 5800, FITTED, "gpu-benches roofline power, H200, 55 points, 0.7 %")

#define BLACKWELL_GDDR7(X)                                                                                             \
    X(sm_count, 188, RECALLED, "NVIDIA RTX PRO 6000 Blackwell data sheet")                                             \
    X(clock_hz, 2617e6, RECALLED, "boost clock, workstation edition")                                                  \
    X(fp64_flops_per_s, 1.97e12, DERIVED, "a 64th of fp32")                                                            \
    X(fp32_flops_per_s, 125e12, RECALLED, "NVIDIA RTX PRO 6000 Blackwell data sheet")                                  \
    X(tf32_flops_per_s, 252e12, DERIVED, "half of bf16")                                                               \
    X(bf16_flops_per_s, 503.8e12, DERIVED, "188 SMs x 1024 FLOP a clock; fp32 accumulation")                           \
    X(fp16_flops_per_s, 503.8e12, DERIVED, "as bf16")                                                                  \
    X(fp8_flops_per_s, 1007.6e12, DERIVED, "twice bf16; data sheet: 4 PFLOP/s of sparse fp4 (recalled)")               \
    X(int8_flops_per_s, 1007.6e12, DERIVED, "as fp8")                                                                  \
    X(memory_bytes, 103079215104, RECALLED, "NVIDIA RTX PRO 6000 Blackwell data sheet, 96 GiB")                        \
    X(dram_bytes_per_s, 1792e9, RECALLED, "NVIDIA RTX PRO 6000 Blackwell data sheet, GDDR7")                           \
    X(dram_read_share, 0.90, RECALLED, "GDDR cards come nearer to their specification than HBM")                       \
    X(dram_write_share, 0.6, DERIVED, "as A100 and H200")                                                              \
    X(l2_bytes, 134217728, RECALLED, "128 MiB")                                                                        \
    X(l2_bytes_per_s, 10000e9, DERIVED, "as H200")                                                                     \
    X(launch_ps, 2530000, DERIVED, "as H200")                                                                          \
    X(matrix_share, 0.90, DERIVED, "between H200 and A100")                                                            \
    X(sustained_share, 0.90, DERIVED, "as A100")                                                                       \
    X(k_step_ps, 2480, DERIVED, "as A100, by clock: no wgmma")                                                         \
    X(last_wave_share, 0.95, DERIVED, "as A100: no wgmma")                                                             \
    X(split_ps, 1870000, DERIVED, "as A100")                                                                           \
    X(overlap_loss, 0.45, DERIVED, "as A100")                                                                          \
    X(attention_share, 0.58, DERIVED, "as A100: FlashAttention-2")                                                     \
    X(attention_backward_share, 0.8, DERIVED, "as A100")                                                               \
    X(attention_block_ps, 754000, DERIVED, "as A100, by clock")                                                        \
    X(attention_single_block_ps, 1260000, DERIVED, "as A100, by clock")                                                \
    X(attention_key_ps, 11400, DERIVED, "as A100, by clock")                                                           \
    X(attention_memory_share, 0.87, DERIVED, "as A100")                                                                \
    X(attention_rows, 64, DERIVED, "as A100")                                                                          \
    X(attention_packs, 1, DERIVED, "as H100: FlashAttention of serving engines packs groups")                          \
    X(attention_split_ps, 1280000, DERIVED, "as H100")                                                                 \
    X(attention_group_ps, 0, DERIVED, "as H100")                                                                       \
    X(attention_split_target, 32, DERIVED, "as H100")                                                                  \
    X(attention_split_single, 1, DERIVED, "as H100")                                                                   \
    X(attention_overlap_loss, 0.155, DERIVED, "as A100")                                                               \
    X(idle_power_mw, 15000, RECALLED, "nvidia-smi, idle")                                                              \
    X(base_power_mw, 99000, DERIVED, "as A100 by power limit")                                                         \
    X(tdp_mw, 600000, RECALLED, "NVIDIA RTX PRO 6000 Blackwell data sheet, workstation edition")                       \
    X(dram_fj_per_byte, 130e3, DERIVED, "A100 value and a ninth more for the interface of GDDR7")                      \
    X(l2_fj_per_byte, 2400, SOURCE, "AttAcc artifact")                                                                 \
    X(fp64_fj_per_flop, 8000, DERIVED, "twice fp32")                                                                   \
    X(fp32_fj_per_flop, 4000, DERIVED, "(600 W - base) / 125 TFLOP/s")                                                 \
    X(tf32_fj_per_flop, 1800, DERIVED, "twice bf16")                                                                   \
    X(bf16_fj_per_flop, 900, DERIVED, "(600 W - base - memory) / 408 TFLOP/s, less a tenth")                           \
    X(fp8_fj_per_flop, 450, DERIVED, "half of bf16")

enum gpu_field {
#define X(type, field, unit, meaning) FIELD_##field,
    GPU_CONSTANTS(X)
#undef X
};

static const struct constant_field gpu_fields[] = {
#define X(type, field, unit, meaning) {#field, unit, meaning},
    GPU_CONSTANTS(X)
#undef X
};

#define SET(field, value, evidence, source) .field = (value),
#define ROW(field, value, evidence, source) {FIELD_##field, (value), EVIDENCE_##evidence, source},

static const struct constant v100_rows[] = {VOLTA(ROW)};
static const struct constant a100_40g_rows[] = {AMPERE(ROW) AMPERE_40G(ROW)};
static const struct constant a100_80g_rows[] = {AMPERE(ROW) AMPERE_80G(ROW)};
static const struct constant a100_hbm3_rows[] = {AMPERE(ROW) AMPERE_HBM3(ROW)};
static const struct constant h100_rows[] = {HOPPER(ROW) H100(ROW)};
static const struct constant h200_rows[] = {HOPPER(ROW) H200(ROW)};
static const struct constant rtx_pro_6000_rows[] = {BLACKWELL_GDDR7(ROW)};

#define ENTRY(name, title, rows)                                                                                       \
    {                                                                                                                  \
        name, "gpu", title, gpu_fields, rows, sizeof(rows) / sizeof(rows)[0]                                           \
    }

static const struct gpu_entry gpu_entries[] = {
    {ENTRY("v100", "NVIDIA V100 SXM2 32 GB", v100_rows), {VOLTA(SET)}},
    {ENTRY("a100-40g", "NVIDIA A100 SXM4 40 GB", a100_40g_rows), {AMPERE(SET) AMPERE_40G(SET)}},
    {ENTRY("a100-80g", "NVIDIA A100 SXM4 80 GB", a100_80g_rows), {AMPERE(SET) AMPERE_80G(SET)}},
    {ENTRY("a100-hbm3", "A100 with five HBM3 stacks (AttAcc's A100a)", a100_hbm3_rows), {AMPERE(SET) AMPERE_HBM3(SET)}},
    {ENTRY("h100-sxm", "NVIDIA H100 SXM5 80 GB", h100_rows), {HOPPER(SET) H100(SET)}},
    {ENTRY("h200-sxm", "NVIDIA H200 SXM5 141 GB", h200_rows), {HOPPER(SET) H200(SET)}},
    {ENTRY("rtx-pro-6000", "NVIDIA RTX PRO 6000 Blackwell 96 GB", rtx_pro_6000_rows), {BLACKWELL_GDDR7(SET)}},
};

const struct gpu_entry *gpu_entry(size_t i)
{
    return i < sizeof gpu_entries / sizeof gpu_entries[0] ? &gpu_entries[i] : NULL;
}

/* The streaming kernels: three constants each. */
static const struct constant_field kernel_fields[] = {
#define X(kernel, name, start_ps, rate_share, row_bytes_per_s, evidence, source)                                       \
    {name ".start_ps", "ps", "shortest time at the A100's clock"},                                                     \
        {name ".rate_share", "1", "bandwidth as a share of what reading reaches"},                                     \
        {name ".row_bytes_per_s", "byte/s", "rate of the block of one row, 0: rows are shared"},
    GPU_KERNELS(X)
#undef X
};

static const struct constant kernel_rows[] = {
#define X(kernel, name, start_ps, rate_share, row_bytes_per_s, evidence, source)                                       \
    {3 * (kernel), start_ps, EVIDENCE_##evidence, source},                                                             \
        {3 * (kernel) + 1, rate_share, EVIDENCE_##evidence, source},                                                   \
        {3 * (kernel) + 2, row_bytes_per_s, EVIDENCE_##evidence, source},
    GPU_KERNELS(X)
#undef X
};

const struct catalogue_entry *gpu_kernels_entry(void)
{
    static const struct catalogue_entry entry = {
        "gpu-kernels", "gpu kernels", "kernels that stream memory, on every GPU",
        kernel_fields, kernel_rows,   sizeof kernel_rows / sizeof kernel_rows[0]};
    return &entry;
}
