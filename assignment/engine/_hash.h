/* The hash of hashing.py: FNV-1a over UTF-16 code units, then over the decimal digits of the first result. */
#ifndef TRUELIFT_HASH_H
#define TRUELIFT_HASH_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define OFFSET_BASIS 0x811C9DC5u
#define PRIME 0x01000193u
#define BUCKETS 10000u

static inline uint32_t mixed(uint32_t state, uint32_t unit) { return (state ^ unit) * PRIME; }

static inline uint32_t bucket_of_word(uint32_t word)
{
    unsigned char digits[10];
    uint32_t state = OFFSET_BASIS;
    int first = 9;
    for (int place = 9; place >= 0; place--) {
        uint32_t rest = word / 10;
        digits[place] = (unsigned char)('0' + (word - rest * 10));
        first = digits[place] != '0' ? place : first; /* no leading zeros: where the last non-zero digit was seen */
        word = rest;
    }
    for (int place = first; place < 10; place++) state = mixed(state, digits[place]);
    return state % BUCKETS;
}

/* Mix the code units of a string into a state. A character beyond the basic plane is two code units. */
static uint32_t mixed_text(uint32_t state, PyObject *text)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    const void *data = PyUnicode_DATA(text);
    if (PyUnicode_KIND(text) == PyUnicode_1BYTE_KIND) {
        const Py_UCS1 *codes = data;
        for (Py_ssize_t i = 0; i < length; i++) state = mixed(state, codes[i]);
    } else if (PyUnicode_KIND(text) == PyUnicode_2BYTE_KIND) {
        const Py_UCS2 *codes = data;
        for (Py_ssize_t i = 0; i < length; i++) state = mixed(state, codes[i]);
    } else {
        const Py_UCS4 *codes = data;
        for (Py_ssize_t i = 0; i < length; i++) {
            uint32_t code = codes[i];
            if (code > 0xFFFF) {
                state = mixed(state, 0xD800 + ((code - 0x10000) >> 10));
                code = 0xDC00 + (code & 0x3FF);
            }
            state = mixed(state, code);
        }
    }
    return state;
}

static inline uint32_t bucket_under(uint32_t state, PyObject *text) { return bucket_of_word(mixed_text(state, text)); }

/* Write the unit's word under each state; the states are independent, so the compiler takes several at once. */
static void words_under(const uint32_t *states, Py_ssize_t count, PyObject *text, uint32_t *words)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    memcpy(words, states, count * sizeof(uint32_t));
    for (Py_ssize_t i = 0; i < length; i++) {
        uint32_t code = PyUnicode_READ_CHAR(text, i);
        if (code > 0xFFFF) {
            uint32_t high = 0xD800 + ((code - 0x10000) >> 10);
            for (Py_ssize_t j = 0; j < count; j++) words[j] = mixed(words[j], high);
            code = 0xDC00 + (code & 0x3FF);
        }
        for (Py_ssize_t j = 0; j < count; j++) words[j] = mixed(words[j], code);
    }
}

#endif
