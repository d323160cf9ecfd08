/* The engine's hottest lines, compiled: which end a unit has in one flag or in all, and buckets of whole columns.
 *
 * Optional. Where no C compiler was at hand when the project was installed, the same is done in Python and numpy;
 * tests hold the two to each other bit for bit. Nothing here knows what a flag or an experiment is.
 */
#include "_many.h"
#include "_steps.h"

#define INTERFACE 1 /* native.py refuses a module that was built for another one */
#define NO_UNIT (-1)

static PyObject *bucket(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (count != 2 || !PyUnicode_Check(given[0]) || !PyUnicode_Check(given[1])) {
        PyErr_SetString(PyExc_TypeError, "bucket takes a seed and a unit, both text.");
        return NULL;
    }
    return PyLong_FromUnsignedLong(bucket_under(mixed_text(OFFSET_BASIS, given[0]), given[1]));
}

static PyObject *fnv1a_32(PyObject *module, PyObject *text)
{
    (void)module;
    if (!PyUnicode_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "fnv1a_32 takes a text.");
        return NULL;
    }
    return PyLong_FromUnsignedLong(mixed_text(OFFSET_BASIS, text));
}

/* Copy the chosen pieces, those that are empty left out, with commas between them; None where a chosen one is None. */
static PyObject *joined(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (count != 4 || !PyBytes_Check(given[0]) || !PyList_Check(given[1]) || !PyBytes_Check(given[3])) {
        PyErr_SetString(PyExc_TypeError, "joined takes bytes, a list of pieces, their places as int32, and bytes.");
        return NULL;
    }
    PyObject *pieces = given[1], *answer = NULL;
    Py_ssize_t before = PyBytes_GET_SIZE(given[0]), after = PyBytes_GET_SIZE(given[3]);
    Py_ssize_t length = before + after, some = 0;
    Py_buffer places;
    if (PyObject_GetBuffer(given[2], &places, PyBUF_SIMPLE) < 0) return NULL;
    const int32_t *chosen = places.buf;
    Py_ssize_t chosen_count = places.len / (Py_ssize_t)sizeof(int32_t);
    for (Py_ssize_t i = 0; i < chosen_count; i++) {
        if (chosen[i] < 0 || chosen[i] >= PyList_GET_SIZE(pieces)) {
            PyErr_Format(PyExc_IndexError, "There is no piece %d.", (int)chosen[i]);
            goto end;
        }
        PyObject *piece = PyList_GET_ITEM(pieces, chosen[i]);
        if (!PyBytes_Check(piece)) {
            answer = Py_NewRef(Py_None);
            goto end;
        }
        length += PyBytes_GET_SIZE(piece);
        some += PyBytes_GET_SIZE(piece) > 0;
    }
    answer = PyBytes_FromStringAndSize(NULL, length + (some > 0 ? some - 1 : 0));
    if (answer == NULL) goto end;
    char *to = PyBytes_AS_STRING(answer);
    memcpy(to, PyBytes_AS_STRING(given[0]), before);
    to += before;
    for (Py_ssize_t i = 0; i < chosen_count; i++) {
        PyObject *piece = PyList_GET_ITEM(pieces, chosen[i]);
        Py_ssize_t size = PyBytes_GET_SIZE(piece);
        if (size == 0) continue;
        memcpy(to, PyBytes_AS_STRING(piece), size);
        to += size;
        if (--some > 0) *to++ = ',';
    }
    memcpy(to, PyBytes_AS_STRING(given[3]), after);
end:
    PyBuffer_Release(&places);
    return answer;
}

/* Write the bucket of each text of a list or tuple; False where something in it is no text. */
static PyObject *bucket_texts(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Py_buffer buckets;
    if (count != 3 || !PyUnicode_Check(given[0]) || !(PyList_Check(given[1]) || PyTuple_Check(given[1]))) {
        PyErr_SetString(PyExc_TypeError, "bucket_texts takes a seed, a list of texts, and an array for the buckets.");
        return NULL;
    }
    uint32_t state = mixed_text(OFFSET_BASIS, given[0]);
    Py_ssize_t length = PySequence_Fast_GET_SIZE(given[1]);
    PyObject **units = PySequence_Fast_ITEMS(given[1]);
    if (PyObject_GetBuffer(given[2], &buckets, PyBUF_WRITABLE) < 0) return NULL;
    int32_t *to = buckets.buf;
    Py_ssize_t i = 0;
    if (buckets.len == length * (Py_ssize_t)sizeof(int32_t)) {
        for (; i < length && PyUnicode_CheckExact(units[i]); i++)
            to[i] = PyUnicode_GET_LENGTH(units[i]) ? (int32_t)bucket_under(state, units[i]) : NO_UNIT;
    }
    PyBuffer_Release(&buckets);
    return PyBool_FromLong(i == length);
}

/* The same for code units in an array: id i is codes[starts[i] : starts[i] + lengths[i]]. */
#define MIX_CODES(TYPE)                                                                                                \
    for (Py_ssize_t i = 0; i < count; i++) {                                                                           \
        const TYPE *code = (const TYPE *)codes->buf + starts[i];                                                       \
        uint32_t word = state;                                                                                         \
        for (int64_t j = 0; j < lengths[i]; j++) word = mixed(word, code[j]);                                          \
        to[i] = lengths[i] ? (int32_t)bucket_of_word(word) : NO_UNIT;                                                  \
    }

static int mix_codes(uint32_t state, const Py_buffer *codes, const Py_buffer *spans, const Py_buffer *buckets)
{
    Py_ssize_t count = spans[0].len / (Py_ssize_t)sizeof(int64_t), units = codes->len / codes->itemsize;
    const int64_t *starts = spans[0].buf, *lengths = spans[1].buf;
    int32_t *to = buckets->buf;
    if (spans[1].len != spans[0].len || buckets->len != count * (Py_ssize_t)sizeof(int32_t)) return -1;
    for (Py_ssize_t i = 0; i < count; i++)
        if (starts[i] < 0 || lengths[i] < 0 || lengths[i] > units || starts[i] > units - lengths[i]) return -1;
    if (codes->itemsize == 1) MIX_CODES(uint8_t)
    else if (codes->itemsize == 2) MIX_CODES(uint16_t)
    else if (codes->itemsize == 4) MIX_CODES(uint32_t)
    else return -1;
    return 0;
}

static PyObject *bucket_codes(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Py_buffer found[4]; /* codes, starts, lengths, buckets */
    int held = 0, failed = 0;
    if (count != 5 || !PyUnicode_Check(given[0])) {
        PyErr_SetString(PyExc_TypeError, "bucket_codes takes a seed, codes, starts, lengths and an array for the buckets.");
        return NULL;
    }
    for (; held < 4; held++)
        if (PyObject_GetBuffer(given[held + 1], &found[held], PyBUF_C_CONTIGUOUS | (held == 3 ? PyBUF_WRITABLE : 0)) < 0)
            break;
    if (held == 4) {
        failed = mix_codes(mixed_text(OFFSET_BASIS, given[0]), &found[0], &found[1], &found[3]);
        if (failed) PyErr_SetString(PyExc_ValueError, "The arrays do not fit each other.");
    }
    int complete = held == 4 && !failed;
    while (held > 0) PyBuffer_Release(&found[--held]);
    if (!complete) return NULL;
    Py_RETURN_NONE;
}

#define FAST(FUNCTION) (PyCFunction)(void (*)(void)) FUNCTION, METH_FASTCALL

static PyMethodDef functions[] = {
    {"fnv1a_32", fnv1a_32, METH_O, "Return the 32-bit FNV-1a hash of a text's UTF-16 code units."},
    {"bucket", FAST(bucket), "Return the bucket of a unit under a seed."},
    {"bucket_texts", FAST(bucket_texts), "Write the bucket of each text; return False where something is no text."},
    {"bucket_codes", FAST(bucket_codes), "Write the bucket of each id in an array of code units."},
    {"joined", FAST(joined), "Return the chosen pieces with commas between them, or None where one is None."},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "The engine's hottest lines, compiled.", -1, functions,
};

PyMODINIT_FUNC PyInit__native(void)
{
    if (PyType_Ready(&PlacementType) < 0 || PyType_Ready(&PlacementsType) < 0) return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL) return NULL;
    if (PyModule_AddIntConstant(module, "INTERFACE", INTERFACE) < 0 ||
        PyModule_AddIntConstant(module, "GO_ON", GO_ON) < 0 ||
        PyModule_AddObjectRef(module, "Placement", (PyObject *)&PlacementType) < 0 ||
        PyModule_AddObjectRef(module, "Placements", (PyObject *)&PlacementsType) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
