#include "device/catalogue_list.h"

/* Each list X(field, value, evidence, source) makes both a profile and its printed table. */

/* The library's protocols on NVLink, where the generation makes no difference. */
#define NVLINK(X)                                                                                                      \
    X(medium_share, 0.92, SOURCE, "NCCL tuning constants: LL128 carries 120 of 128 bytes")                             \
    X(recursive, 0, SOURCE, "NCCL has rings, trees and in-switch reduction")                                           \
    X(peer_kernels, 0, SOURCE, "not in NCCL's all-reduce; inference servers add them")

#define NVLINK2(X)                                                                                                     \
    X(bandwidth_bytes_per_s, 150e9, SOURCE, "NVIDIA V100 data sheet: 300 GB/s both ways")                              \
    X(links_per_device, 6, SOURCE, "NVIDIA V100 data sheet")                                                           \
    X(efficiency, 0.66, DERIVED, "as NVLink3")                                                                         \
    X(pair_share, 0.84, DERIVED, "as NVLink3")                                                                         \
    X(message_efficiency, 0.87, RECALLED, "about 130 of 150 GB/s")                                                     \
    X(overhead_ps, 9400000, DERIVED, "as NVLink3")                                                                     \
    X(latency_ps, 700000, RECALLED, "peer read, direct links")                                                         \
    X(small_step_ps, 400000, DERIVED, "as NVLink3")                                                                    \
    X(small_share, 0.30, DERIVED, "as NVLink3")                                                                        \
    X(medium_start_ps, 22000000, DERIVED, "as NVLink3")                                                                \
    X(medium_step_ps, 0, DERIVED, "as NVLink3")                                                                        \
    X(bulk_start_ps, 43000000, DERIVED, "as NVLink3")                                                                  \
    X(bulk_step_ps, 0, DERIVED, "as NVLink3")                                                                          \
    X(switch_reduces, 0, SOURCE, "no such switch")                                                                     \
    X(switch_efficiency, 0, SOURCE, "no such switch")                                                                  \
    X(peer_overhead_ps, 4600000, DERIVED, "as NVLink3")                                                                \
    X(fj_per_bit, 8000, RECALLED, "first generations of NVLink, about 8 pJ/bit")

#define NVLINK3(X)                                                                                                     \
    X(bandwidth_bytes_per_s, 300e9, SOURCE, "NVIDIA A100 data sheet: 600 GB/s both ways")                              \
    X(links_per_device, 12, SOURCE, "NVIDIA A100 data sheet")                                                          \
    X(efficiency, 0.66, FITTED, "aiconfigurator A100 NCCL, every 4th row of 184")                                      \
    X(pair_share, 0.84, FITTED, "aiconfigurator A100 NCCL, every 4th row of 184")                                      \
    X(message_efficiency, 0.90, FITTED, "Vidur A100 send/recv in a node, 269 GB/s")                                    \
    X(overhead_ps, 9400000, FITTED, "aiconfigurator A100 NCCL, every 4th row of 184")                                  \
    X(latency_ps, 600000, RECALLED, "peer read through one NVSwitch")                                                  \
    X(small_step_ps, 400000, FITTED, "aiconfigurator A100 NCCL, every 4th row of 184")                                 \
    X(small_share, 0.30, FITTED, "aiconfigurator A100 NCCL, every 4th row of 184; 0.25 by design")                     \
    X(medium_start_ps, 22000000, FITTED, "aiconfigurator A100 NCCL, every 4th row of 184")                             \
    X(medium_step_ps, 0, FITTED, "aiconfigurator A100 NCCL, every 4th row of 184")                                     \
    X(bulk_start_ps, 43000000, FITTED, "aiconfigurator A100 NCCL, every 4th row of 184")                               \
    X(bulk_step_ps, 0, FITTED, "aiconfigurator A100 NCCL, every 4th row of 184")                                       \
    X(switch_reduces, 0, SOURCE, "second generation of NVSwitch: no reduction")                                        \
    X(switch_efficiency, 0, SOURCE, "second generation of NVSwitch: no reduction")                                     \
    X(peer_overhead_ps, 4600000, FITTED, "aiconfigurator A100 custom all-reduce, every 4th row of 67")                 \
    X(fj_per_bit, 8000, RECALLED, "first generations of NVLink, about 8 pJ/bit; AttAcc's artifact has 1.3")

#define NVLINK4(X)                                                                                                     \
    X(bandwidth_bytes_per_s, 450e9, SOURCE, "NVIDIA H100 data sheet: 900 GB/s both ways")                              \
    X(links_per_device, 18, SOURCE, "NVIDIA H100 data sheet")                                                          \
    X(efficiency, 0.72, FITTED, "aiconfigurator H100 and H200 NCCL, every 8th row of 1098")                            \
    X(pair_share, 0.786, FITTED, "aiconfigurator H100 and H200 NCCL, every 8th row of 1098")                           \
    X(message_efficiency, 0.77, FITTED, "Vidur H100 send/recv in a node, 345 GB/s")                                    \
    X(overhead_ps, 5300000, FITTED, "aiconfigurator H100 and H200 NCCL, every 8th row of 1098")                        \
    X(latency_ps, 500000, RECALLED, "peer read through one NVSwitch")                                                  \
    X(small_step_ps, 340000, FITTED, "aiconfigurator H100 and H200 NCCL, every 8th row of 1098")                       \
    X(small_share, 0.42, FITTED, "aiconfigurator H100 and H200 NCCL, every 8th row of 1098; 0.25 by design")           \
    X(medium_start_ps, 11500000, FITTED, "aiconfigurator H100 and H200 NCCL, every 8th row of 1098")                   \
    X(medium_step_ps, 0, FITTED, "aiconfigurator H100 and H200 NCCL, every 8th row of 1098")                           \
    X(bulk_start_ps, 47000000, FITTED, "aiconfigurator H100 and H200 NCCL, every 8th row of 1098")                     \
    X(bulk_step_ps, 0, FITTED, "aiconfigurator H100 and H200 NCCL, every 8th row of 1098")                             \
    X(switch_reduces, 1, SOURCE, "third generation of NVSwitch: NVLink SHARP")                                         \
    X(switch_efficiency, 0.67, FITTED, "aiconfigurator H100 and H200 NCCL, every 8th row of 1098")                     \
    X(peer_overhead_ps, 2500000, FITTED, "aiconfigurator H100 custom all-reduce, every 4th row of 62")                 \
    X(fj_per_bit, 1300, SOURCE, "Wei et al., ISSCC 2023, as AttAcc's artifact cites it")

/* Host-attached accelerators: software that is free to choose its algorithm. */
#define PCIE(X)                                                                                                        \
    X(links_per_device, 1, SOURCE, "one x16 slot")                                                                     \
    X(efficiency, 0.88, SOURCE, "H200 PCIe 5 x16: 55.4 of 63 GB/s to the device")                                      \
    X(pair_share, 1, DERIVED, "a pair uses the whole slot")                                                            \
    X(message_efficiency, 0.88, SOURCE, "H200 PCIe 5 x16: 55.4 of 63 GB/s to the device")                              \
    X(overhead_ps, 8000000, RECALLED, "asynchronous copy through a driver")                                            \
    X(latency_ps, 900000, RECALLED, "through one switch")                                                              \
    X(small_step_ps, 1600000, SOURCE, "NCCL tuning constants, ring over PCI 2.5 us in all")                            \
    X(small_share, 0.25, SOURCE, "NCCL tuning constants")                                                              \
    X(medium_start_ps, 0, DERIVED, "not offered over PCIe: priced as bulk without a start")                            \
    X(medium_step_ps, 4800000, SOURCE, "NCCL tuning constants, ring over PCI 5.7 us in all")                           \
    X(medium_share, 0.92, SOURCE, "NCCL tuning constants")                                                             \
    X(bulk_start_ps, 2000000, RECALLED, "set-up of a DMA transfer")                                                    \
    X(bulk_step_ps, 4800000, SOURCE, "NCCL tuning constants, ring over PCI 5.7 us in all")                             \
    X(switch_reduces, 0, SOURCE, "PCIe switches do not reduce")                                                        \
    X(switch_efficiency, 0, SOURCE, "PCIe switches do not reduce")                                                     \
    X(recursive, 1, DERIVED, "MPI-like libraries")                                                                     \
    X(peer_kernels, 0, DERIVED, "through the host")                                                                    \
    X(peer_overhead_ps, 10000000, DERIVED, "not used")

#define PCIE3(X)                                                                                                       \
    X(bandwidth_bytes_per_s, 15.75e9, SOURCE, "PCI-SIG: 8 GT/s x16, 128b/130b")                                        \
    X(fj_per_bit, 6000, RECALLED, "5-7 pJ/bit")
#define PCIE4(X)                                                                                                       \
    X(bandwidth_bytes_per_s, 31.5e9, SOURCE, "PCI-SIG: 16 GT/s x16, 128b/130b")                                        \
    X(fj_per_bit, 6000, RECALLED, "about 6 pJ/bit")
#define PCIE5(X)                                                                                                       \
    X(bandwidth_bytes_per_s, 63e9, SOURCE, "PCI-SIG: 32 GT/s x16, 128b/130b")                                          \
    X(fj_per_bit, 7000, RECALLED, "about 7 pJ/bit")

#define INFINIBAND(X)                                                                                                  \
    X(links_per_device, 1, DERIVED, "one adapter per device")                                                          \
    X(pair_share, 1, DERIVED, "a pair uses the whole port")                                                            \
    X(small_step_ps, 2100000, SOURCE, "NCCL tuning constants, ring over network 2.7 us in all")                        \
    X(small_share, 0.25, SOURCE, "NCCL tuning constants")                                                              \
    X(medium_start_ps, 0, DERIVED, "start is in the step")                                                             \
    X(medium_step_ps, 3400000, SOURCE, "NCCL tuning constants, ring over network 4.0 us in all")                       \
    X(medium_share, 0.92, SOURCE, "NCCL tuning constants")                                                             \
    X(bulk_start_ps, 8400000, SOURCE, "NCCL tuning constants, base latency of simple rings")                           \
    X(bulk_step_ps, 9000000, SOURCE, "NCCL tuning constants, ring over network 9.6 us in all")                         \
    X(switch_reduces, 0, DERIVED, "SHARP not assumed")                                                                 \
    X(switch_efficiency, 0, DERIVED, "SHARP not assumed")                                                              \
    X(recursive, 0, SOURCE, "NCCL has rings and trees")                                                                \
    X(peer_kernels, 0, SOURCE, "not across nodes")                                                                     \
    X(peer_overhead_ps, 10000000, DERIVED, "not used")

#define IB_HDR(X)                                                                                                      \
    X(bandwidth_bytes_per_s, 25e9, SOURCE, "InfiniBand HDR, 200 Gbit/s")                                               \
    X(efficiency, 0.9, RECALLED, "with direct access to device memory; without it 7.7 GB/s were measured")             \
    X(message_efficiency, 0.9, RECALLED, "with direct access to device memory; without it 7.7 GB/s were measured")     \
    X(overhead_ps, 15000000, DERIVED, "Vidur A100 send/recv 24.3 us less the NVLink share")                            \
    X(latency_ps, 600000, SOURCE, "one switch, port to port")                                                          \
    X(fj_per_bit, 20000, RECALLED, "adapter, cable and switch 15-25 pJ/bit")
#define IB_NDR(X)                                                                                                      \
    X(bandwidth_bytes_per_s, 50e9, SOURCE, "InfiniBand NDR, 400 Gbit/s")                                               \
    X(efficiency, 0.72, FITTED, "Vidur H100 send/recv between nodes, 35.9 GB/s")                                       \
    X(message_efficiency, 0.72, FITTED, "Vidur H100 send/recv between nodes, 35.9 GB/s")                               \
    X(overhead_ps, 11000000, FITTED, "Vidur H100 send/recv between nodes, 16.9 us in all")                             \
    X(latency_ps, 600000, RECALLED, "one switch, port to port 0.6-1 us")                                               \
    X(fj_per_bit, 16000, RECALLED, "adapter, cable and switch 12-20 pJ/bit")

/* Ports between dies of one package: hardware flow control, no library in between. */
#define PACKAGE(X)                                                                                                     \
    X(links_per_device, 1, DERIVED, "one port per device")                                                             \
    X(efficiency, 1, DERIVED, "no protocol above the port")                                                            \
    X(pair_share, 1, DERIVED, "no protocol above the port")                                                            \
    X(message_efficiency, 1, DERIVED, "no protocol above the port")                                                    \
    X(overhead_ps, 10000, DERIVED, "start of a transfer by the device's own controller, ten cycles at 1 GHz")          \
    X(small_step_ps, 0, DERIVED, "no software")                                                                        \
    X(small_share, 1, DERIVED, "one protocol")                                                                         \
    X(medium_start_ps, 0, DERIVED, "one protocol")                                                                     \
    X(medium_step_ps, 0, DERIVED, "one protocol")                                                                      \
    X(medium_share, 1, DERIVED, "one protocol")                                                                        \
    X(bulk_start_ps, 0, DERIVED, "one protocol")                                                                       \
    X(bulk_step_ps, 0, DERIVED, "one protocol")                                                                        \
    X(switch_reduces, 0, DERIVED, "no switch")                                                                         \
    X(switch_efficiency, 0, DERIVED, "no switch")                                                                      \
    X(recursive, 1, DERIVED, "free to choose")                                                                         \
    X(peer_kernels, 0, DERIVED, "not used")                                                                            \
    X(peer_overhead_ps, 10000, DERIVED, "not used")

#define STACK_3D(X)                                                                                                    \
    X(bandwidth_bytes_per_s, 512e9, DERIVED, "4096 vertical wires at 1 Gbit/s")                                        \
    X(latency_ps, 1000, SOURCE, "UCIe 3D hybrid bonding: below 1 ns")                                                  \
    X(fj_per_bit, 500, SOURCE, "through-silicon vias, AttAcc's artifact after FGDRAM (MICRO 2017)")
#define INTERPOSER(X)                                                                                                  \
    X(bandwidth_bytes_per_s, 260e9, DERIVED, "a fifth of a mm of edge at UCIe 2.5D's 1.3 TB/s per mm")                 \
    X(latency_ps, 2000, SOURCE, "UCIe 2.5D: about 2 ns")                                                               \
    X(fj_per_bit, 300, SOURCE, "UCIe 2.5D: 0.25-0.3 pJ/bit")

enum link_field {
#define X(type, field, unit, meaning) FIELD_##field,
    LINK_CONSTANTS(X)
#undef X
};

static const struct constant_field link_fields[] = {
#define X(type, field, unit, meaning) {#field, unit, meaning},
    LINK_CONSTANTS(X)
#undef X
};

#define SET(field, value, evidence, source) .field = (value),
#define ROW(field, value, evidence, source) {FIELD_##field, (value), EVIDENCE_##evidence, source},

static const struct constant nvlink2_rows[] = {NVLINK(ROW) NVLINK2(ROW)};
static const struct constant nvlink3_rows[] = {NVLINK(ROW) NVLINK3(ROW)};
static const struct constant nvlink4_rows[] = {NVLINK(ROW) NVLINK4(ROW)};
static const struct constant pcie3_rows[] = {PCIE(ROW) PCIE3(ROW)};
static const struct constant pcie4_rows[] = {PCIE(ROW) PCIE4(ROW)};
static const struct constant pcie5_rows[] = {PCIE(ROW) PCIE5(ROW)};
static const struct constant ib_hdr_rows[] = {INFINIBAND(ROW) IB_HDR(ROW)};
static const struct constant ib_ndr_rows[] = {INFINIBAND(ROW) IB_NDR(ROW)};

static const struct constant stack_3d_rows[] = {PACKAGE(ROW) STACK_3D(ROW)};
static const struct constant interposer_rows[] = {PACKAGE(ROW) INTERPOSER(ROW)};

#define ENTRY(name, title, rows)                                                                                       \
    {                                                                                                                  \
        name, "link", title, link_fields, rows, sizeof(rows) / sizeof(rows)[0]                                         \
    }

static const struct link_entry link_entries[] = {
    {ENTRY("nvlink2", "NVLink 2, six links of a V100", nvlink2_rows), {NVLINK(SET) NVLINK2(SET)}},
    {ENTRY("nvlink3", "NVLink 3 and NVSwitch, twelve links of an A100", nvlink3_rows), {NVLINK(SET) NVLINK3(SET)}},
    {ENTRY("nvlink4", "NVLink 4 and NVSwitch, 18 links of an H100 or H200", nvlink4_rows), {NVLINK(SET) NVLINK4(SET)}},
    {ENTRY("pcie3", "PCI Express 3.0 x16", pcie3_rows), {PCIE(SET) PCIE3(SET)}},
    {ENTRY("pcie4", "PCI Express 4.0 x16", pcie4_rows), {PCIE(SET) PCIE4(SET)}},
    {ENTRY("pcie5", "PCI Express 5.0 x16", pcie5_rows), {PCIE(SET) PCIE5(SET)}},
    {ENTRY("ib-hdr", "InfiniBand HDR, one port", ib_hdr_rows), {INFINIBAND(SET) IB_HDR(SET)}},
    {ENTRY("ib-ndr", "InfiniBand NDR, one port", ib_ndr_rows), {INFINIBAND(SET) IB_NDR(SET)}},
    {ENTRY("stack-3d", "vertical links of a 3-D stack", stack_3d_rows), {PACKAGE(SET) STACK_3D(SET)}},
    {ENTRY("interposer", "silicon interposer between dies", interposer_rows), {PACKAGE(SET) INTERPOSER(SET)}},
};

const struct link_entry *link_entry(size_t i)
{
    return i < sizeof link_entries / sizeof link_entries[0] ? &link_entries[i] : NULL;
}
