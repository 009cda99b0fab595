/** Matrices as arrays of rows: a matrix of shape (n, m) is n arrays of m numbers. */

/** The product of matrices: (n, k) and (k, m) give (n, m). */
export const matmul = (a, b) =>
  a.map((row) =>
    b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)),
  );

/** Rows become columns. */
export const transpose = (a) => a[0].map((_, j) => a.map((row) => row[j]));

/** Apply a function to each element of matrices of one shape. */
export const each = (f, a, ...others) =>
  a.map((row, i) => row.map((value, j) => f(value, ...others.map((b) => b[i][j]))));

/** The sum of all elements. */
export const total = (a) => a.flat().reduce((sum, value) => sum + value, 0);
