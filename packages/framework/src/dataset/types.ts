/**
 * A decoded data set: attribute keywords (`PatientName`) to values, sequences as arrays of the same;
 * attributes without a keyword by eight hexadecimal digits (`00091001`). This is dcmjs's naturalized
 * form.
 */
export type DataSet = { [keyword: string]: unknown }
