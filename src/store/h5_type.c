/* h5_type.c - types of values in files and in memory. */
#include "store/h5_private.h"

hid_t h5_half_type(void)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    /* Sign at bit 15, 5 bits of exponent from bit 10, 10 of mantissa; the size last, as the fields must fit it. */
    if (type < 0 || H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 || H5Tset_ebias(type, 15) < 0 || H5Tset_size(type, 2) < 0)
        return -1;
    return type;
}

hid_t h5_memory_type(const struct h5 *file, enum h5_type type)
{
    const hid_t types[N_H5_TYPES] = {H5T_NATIVE_FLOAT,  H5T_NATIVE_DOUBLE, H5T_NATIVE_UINT8, H5T_NATIVE_INT8,
                                     H5T_NATIVE_INT16,  H5T_NATIVE_INT32,  H5T_NATIVE_INT64, H5T_NATIVE_UINT32,
                                     H5T_NATIVE_UINT64, file->half};
    return types[type];
}

hid_t h5_file_type(const struct h5 *file, enum h5_type type)
{
    const hid_t types[N_H5_TYPES] = {H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_STD_U8LE,  H5T_STD_I8LE,  H5T_STD_I16LE,
                                     H5T_STD_I32LE,  H5T_STD_I64LE,  H5T_STD_U32LE, H5T_STD_U64LE, file->half};
    return types[type];
}

enum h5_kind h5_kind_of(hid_t type)
{
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
    case H5T_ENUM:
        return H5_KIND_INTEGER;
    case H5T_FLOAT:
        return H5_KIND_FLOAT;
    case H5T_STRING:
        return H5_KIND_STRING;
    default:
        return H5_KIND_OTHER;
    }
}
