/* Steps: a bucket falls into a cell, and each cell has an end. What decides one flag is a row of them. */
#ifndef TRUELIFT_STEPS_H
#define TRUELIFT_STEPS_H
#include "_hash.h"
#include <structmember.h>

#define GO_ON INT32_MIN /* a step's end: ask the next step */
#define FEW_CUTS 8

typedef struct {
    PyObject *attribute; /* which attribute names the unit */
    uint32_t state;      /* the hash after the seed */
    int32_t seed;        /* where that state stands among those of all flags */
    int32_t missing;     /* the end where no unit is named */
    int32_t cut_count;
    int32_t *ends; /* cut_count + 1 */
    uint16_t *cuts;
} Step;

static inline int32_t end_of(const Step *step, uint32_t bucket)
{
    int32_t low = 0, high = step->cut_count;
    while (high - low > FEW_CUTS) {
        int32_t middle = low + (high - low) / 2;
        if (step->cuts[middle] <= bucket) low = middle + 1;
        else high = middle;
    }
    while (low < high && step->cuts[low] <= bucket) low++;
    return step->ends[low];
}

static int integers(PyObject *source, long least, long most, void *to, int wide)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(source); i++) {
        long value = PyLong_AsLong(PyTuple_GET_ITEM(source, i));
        if (value == -1 && PyErr_Occurred()) return -1;
        if (value < least || value > most) {
            PyErr_Format(PyExc_ValueError, "%ld is not from %ld to %ld.", value, least, most);
            return -1;
        }
        if (wide) ((int32_t *)to)[i] = (int32_t)value;
        else ((uint16_t *)to)[i] = (uint16_t)value;
    }
    return 0;
}

static void free_steps(Step *steps, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; steps != NULL && i < count; i++) {
        Py_XDECREF(steps[i].attribute);
        PyMem_Free(steps[i].ends);
        PyMem_Free(steps[i].cuts);
    }
    PyMem_Free(steps);
}

static int read_step(PyObject *source, Step *step, int is_last)
{
    PyObject *attribute, *seed, *cuts, *ends;
    int missing;
    if (!PyTuple_Check(source)) {
        PyErr_SetString(PyExc_TypeError, "A step is a tuple (attribute, seed, missing, cuts, ends).");
        return -1;
    }
    if (!PyArg_ParseTuple(source, "UUiO!O!", &attribute, &seed, &missing, &PyTuple_Type, &cuts, &PyTuple_Type, &ends))
        return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(cuts);
    if (PyTuple_GET_SIZE(ends) != count + 1) {
        PyErr_SetString(PyExc_ValueError, "A step has one end more than it has cuts.");
        return -1;
    }
    step->attribute = Py_NewRef(attribute);
    step->state = mixed_text(OFFSET_BASIS, seed);
    step->missing = missing;
    step->cut_count = (int32_t)count;
    step->ends = PyMem_Malloc((count + 1) * sizeof(int32_t));
    step->cuts = PyMem_Malloc((count + 1) * sizeof(uint16_t));
    if (step->ends == NULL || step->cuts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (integers(cuts, 0, BUCKETS, step->cuts, 0) < 0 || integers(ends, INT32_MIN, INT32_MAX, step->ends, 1) < 0)
        return -1;
    for (Py_ssize_t i = 0; is_last && i <= count; i++) {
        if (step->ends[i] == GO_ON) {
            PyErr_SetString(PyExc_ValueError, "The last step cannot go on.");
            return -1;
        }
    }
    return 0;
}

/* Read the steps of one flag; NULL with an exception where they are none. */
static Step *read_steps(PyObject *source, Py_ssize_t *count)
{
    if (!PyTuple_Check(source) || PyTuple_GET_SIZE(source) == 0) {
        PyErr_SetString(PyExc_TypeError, "A flag's steps are a tuple of one or more.");
        return NULL;
    }
    *count = PyTuple_GET_SIZE(source);
    Step *steps = PyMem_Calloc(*count, sizeof(Step));
    if (steps == NULL) return (Step *)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < *count; i++) {
        if (read_step(PyTuple_GET_ITEM(source, i), &steps[i], i == *count - 1) < 0) {
            free_steps(steps, *count);
            return NULL;
        }
    }
    return steps;
}

/* ---- Placement: one flag, decided by hashes alone ---- */

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *text_of; /* makes a text of a unit that is none, such as a number */
    PyObject *sources; /* the steps as they were given */
    Step *steps;
    Py_ssize_t count;
} Placement;

/* Return the unit that an attribute names as a new reference, or NULL; where no exception is set there is none. */
static PyObject *unit_in(const Placement *self, PyObject *attributes, PyObject *attribute)
{
    PyObject *unit;
    if (PyDict_CheckExact(attributes)) unit = Py_XNewRef(PyDict_GetItemWithError(attributes, attribute));
    else unit = PyObject_CallMethod(attributes, "get", "O", attribute);
    if (unit != NULL && !PyUnicode_CheckExact(unit)) {
        PyObject *text = PyObject_CallOneArg(self->text_of, unit);
        Py_SETREF(unit, text);
        if (unit != NULL && !PyUnicode_CheckExact(unit)) {
            PyErr_Format(PyExc_TypeError, "A unit's text is %R.", unit);
            Py_CLEAR(unit);
        }
    }
    if (unit != NULL && PyUnicode_GET_LENGTH(unit) == 0) Py_CLEAR(unit);
    return unit;
}

/* Find a unit's end. Where the last step was asked, unit (a new reference) and bucket are those that it hashed. */
static int walk(const Placement *self, PyObject *attributes, int32_t *end, PyObject **unit, uint32_t *bucket)
{
    PyObject *found = NULL, *attribute = NULL;
    *unit = NULL;
    for (Py_ssize_t i = 0; i < self->count; i++) {
        const Step *step = &self->steps[i];
        if (step->attribute != attribute) {
            attribute = step->attribute;
            Py_XSETREF(found, unit_in(self, attributes, attribute));
        }
        if (found == NULL) {
            *end = step->missing;
            return PyErr_Occurred() ? -1 : 0;
        }
        *bucket = bucket_under(step->state, found);
        *end = end_of(step, *bucket);
        if (*end != GO_ON) {
            if (i == self->count - 1) *unit = found;
            else Py_DECREF(found);
            return 0;
        }
    }
    Py_UNREACHABLE();
}

static PyObject *placement_call(PyObject *self, PyObject *const *given, size_t flags, PyObject *names)
{
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (count < 1 || count > 2 || (names != NULL && PyTuple_GET_SIZE(names) > 0)) {
        PyErr_SetString(PyExc_TypeError, "A placement takes the attributes and, if wished, the evaluation under way.");
        return NULL;
    }
    int32_t end;
    PyObject *unit;
    uint32_t bucket;
    if (walk((Placement *)self, given[0], &end, &unit, &bucket) < 0) return NULL;
    if (unit != NULL && count == 2) {
        PyObject *number = PyLong_FromUnsignedLong(bucket);
        int failed = number == NULL || PyObject_SetAttrString(given[1], "unit", unit) < 0 ||
                     PyObject_SetAttrString(given[1], "bucket", number) < 0;
        Py_XDECREF(number);
        if (failed) {
            Py_DECREF(unit);
            return NULL;
        }
    }
    Py_XDECREF(unit);
    return PyLong_FromLong(end);
}

static PyObject *placement_place(PyObject *self, PyObject *attributes)
{
    int32_t end;
    PyObject *unit;
    uint32_t bucket = 0;
    if (walk((Placement *)self, attributes, &end, &unit, &bucket) < 0) return NULL;
    PyObject *found = PyTuple_New(3);
    PyObject *index = PyLong_FromLong(end), *number = PyLong_FromUnsignedLong(unit == NULL ? 0 : bucket);
    if (unit == NULL) unit = PyUnicode_New(0, 0);
    if (found == NULL || index == NULL || number == NULL || unit == NULL) {
        Py_XDECREF(found);
        Py_XDECREF(index);
        Py_XDECREF(number);
        Py_XDECREF(unit);
        return NULL;
    }
    PyTuple_SET_ITEM(found, 0, index);
    PyTuple_SET_ITEM(found, 1, unit);
    PyTuple_SET_ITEM(found, 2, number);
    return found;
}

static PyObject *placement_new(PyTypeObject *type, PyObject *given, PyObject *named)
{
    PyObject *text_of, *sources;
    static char *names[] = {"text_of", "steps", NULL};
    if (!PyArg_ParseTupleAndKeywords(given, named, "OO", names, &text_of, &sources)) return NULL;
    Py_ssize_t count = 0;
    Step *steps = read_steps(sources, &count);
    if (steps == NULL) return NULL;
    Placement *self = (Placement *)type->tp_alloc(type, 0);
    if (self == NULL) {
        free_steps(steps, count);
        return NULL;
    }
    self->call = placement_call;
    self->text_of = Py_NewRef(text_of);
    self->sources = Py_NewRef(sources);
    self->steps = steps;
    self->count = count;
    return (PyObject *)self;
}

static void placement_free(PyObject *object)
{
    Placement *self = (Placement *)object;
    free_steps(self->steps, self->count);
    Py_XDECREF(self->text_of);
    Py_XDECREF(self->sources);
    Py_TYPE(object)->tp_free(object);
}

static PyMethodDef placement_methods[] = {
    {"place", placement_place, METH_O, "Return a unit's end, and its text and bucket where the last step was asked."},
    {NULL},
};

static PyMemberDef placement_members[] = {
    {"steps", T_OBJECT_EX, offsetof(Placement, sources), READONLY, "The steps as they were given."},
    {NULL},
};

static PyTypeObject PlacementType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "assignment.engine._native.Placement",
    .tp_doc = "One flag that hashes decide: called with attributes, it returns the index of the unit's end.",
    .tp_basicsize = sizeof(Placement),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(Placement, call),
    .tp_call = PyVectorcall_Call,
    .tp_new = placement_new,
    .tp_dealloc = placement_free,
    .tp_methods = placement_methods,
    .tp_members = placement_members,
};

#endif
