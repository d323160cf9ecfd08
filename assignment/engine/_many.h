/* Placements: many flags that hash one attribute, asked for one unit at a time. */
#ifndef TRUELIFT_MANY_H
#define TRUELIFT_MANY_H
#include "_steps.h"

#define ON_STACK 512

typedef struct {
    PyObject_HEAD
    uint32_t *states; /* one a seed, however many flags share it */
    Py_ssize_t state_count;
    Step **flags;
    Py_ssize_t *step_counts;
    Py_ssize_t count;
} Placements;

static void placements_free(PyObject *object)
{
    Placements *self = (Placements *)object;
    for (Py_ssize_t i = 0; self->flags != NULL && i < self->count; i++)
        if (self->flags[i] != NULL) free_steps(self->flags[i], self->step_counts[i]);
    PyMem_Free(self->flags);
    PyMem_Free(self->step_counts);
    PyMem_Free(self->states);
    Py_TYPE(object)->tp_free(object);
}

/* Number the seeds, each once, and keep their states. */
static int number_seeds(Placements *self, PyObject *rows)
{
    int done = -1;
    PyObject *places = PyDict_New();
    for (Py_ssize_t i = 0; places != NULL && i < self->count; i++) {
        for (Py_ssize_t j = 0; j < self->step_counts[i]; j++) {
            PyObject *seed = PyTuple_GET_ITEM(PyTuple_GET_ITEM(PyTuple_GET_ITEM(rows, i), j), 1);
            PyObject *next = PyLong_FromSsize_t(PyDict_GET_SIZE(places));
            PyObject *place = next == NULL ? NULL : PyDict_SetDefault(places, seed, next);
            Py_XDECREF(next);
            if (place == NULL) goto end;
            self->flags[i][j].seed = (int32_t)PyLong_AsLong(place);
        }
    }
    if (places == NULL) return -1;
    self->state_count = PyDict_GET_SIZE(places);
    self->states = PyMem_Malloc((self->state_count + 1) * sizeof(uint32_t));
    if (self->states == NULL) {
        PyErr_NoMemory();
        goto end;
    }
    for (Py_ssize_t i = 0; i < self->count; i++)
        for (Py_ssize_t j = 0; j < self->step_counts[i]; j++)
            self->states[self->flags[i][j].seed] = self->flags[i][j].state;
    done = 0;
end:
    Py_XDECREF(places);
    return done;
}

static PyObject *placements_new(PyTypeObject *type, PyObject *given, PyObject *named)
{
    PyObject *rows;
    static char *names[] = {"flags", NULL};
    if (!PyArg_ParseTupleAndKeywords(given, named, "O!", names, &PyTuple_Type, &rows)) return NULL;
    Placements *self = (Placements *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->count = PyTuple_GET_SIZE(rows);
    self->flags = PyMem_Calloc(self->count + 1, sizeof(Step *));
    self->step_counts = PyMem_Calloc(self->count + 1, sizeof(Py_ssize_t));
    int failed = self->flags == NULL || self->step_counts == NULL;
    if (failed) PyErr_NoMemory();
    for (Py_ssize_t i = 0; !failed && i < self->count; i++) {
        self->flags[i] = read_steps(PyTuple_GET_ITEM(rows, i), &self->step_counts[i]);
        failed = self->flags[i] == NULL;
    }
    if (failed || number_seeds(self, rows) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void find_ends(const Placements *self, const uint32_t *buckets, int32_t *ends)
{
    for (Py_ssize_t i = 0; i < self->count; i++) {
        const Step *step = self->flags[i];
        ends[i] = end_of(step, buckets[step->seed]);
        while (ends[i] == GO_ON) {
            step++;
            ends[i] = end_of(step, buckets[step->seed]);
        }
    }
}

static PyObject *placements_choose(PyObject *object, PyObject *const *given, Py_ssize_t count)
{
    Placements *self = (Placements *)object;
    uint32_t on_stack[ON_STACK], *buckets = on_stack;
    Py_buffer ends;
    if (count != 2 || !PyUnicode_Check(given[0])) {
        PyErr_SetString(PyExc_TypeError, "choose takes the unit's text and an array for the ends.");
        return NULL;
    }
    if (PyObject_GetBuffer(given[1], &ends, PyBUF_WRITABLE) < 0) return NULL;
    if (ends.len != self->count * (Py_ssize_t)sizeof(int32_t)) {
        PyErr_Format(PyExc_ValueError, "The array has %zd bytes; %zd ends take 4 each.", ends.len, self->count);
        PyBuffer_Release(&ends);
        return NULL;
    }
    if (self->state_count > ON_STACK) buckets = PyMem_Malloc(self->state_count * sizeof(uint32_t));
    if (buckets != NULL) {
        words_under(self->states, self->state_count, given[0], buckets);
        for (Py_ssize_t i = 0; i < self->state_count; i++) buckets[i] = bucket_of_word(buckets[i]);
        find_ends(self, buckets, ends.buf);
    }
    PyBuffer_Release(&ends);
    if (buckets == NULL) return PyErr_NoMemory();
    if (buckets != on_stack) PyMem_Free(buckets);
    Py_RETURN_NONE;
}

static PyMethodDef placements_methods[] = {
    {"choose", (PyCFunction)(void (*)(void))placements_choose, METH_FASTCALL,
     "Write the index of the unit's end in each flag into an array of int32."},
    {NULL},
};

static PyTypeObject PlacementsType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "assignment.engine._native.Placements",
    .tp_doc = "Many flags that hash one attribute: choose writes a unit's end in each.",
    .tp_basicsize = sizeof(Placements),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = placements_new,
    .tp_dealloc = placements_free,
    .tp_methods = placements_methods,
};

#endif
