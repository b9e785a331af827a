/**
 * A decoded data set: attribute keywords (`PatientName`) to values, sequences as arrays of the same;
 * attributes without a keyword by eight hexadecimal digits (`00091001`). This is dcmjs's naturalized
 * form.
 *
 * One value stands alone, several are an array, none is `null`. Person names are objects in an array,
 * `[{ Alphabetic: 'Doe^Jane' }]`, which `String()` turns to text; binary values are an array of
 * ArrayBuffer, one per frame when encapsulated; DS and IS are numbers, SV and UV bigint, AT the tag as a
 * number. A sequence of one item also answers for the attributes of that item. `_vrMap` holds the VRs that
 * the dictionary does not tell, e.g. of private elements; give it to encode such an element.
 *
 * What is given to encode may be simpler: a string for a name, a Uint8Array for bytes, one item for a
 * sequence of one.
 */
export type DataSet = { [keyword: string]: unknown }
