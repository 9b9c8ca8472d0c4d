// What is looked for among the entries, of one connection or of all.

/**
 * @typedef {object} Wanted  What fits all that is given; "" and false ask for nothing.
 * @property {string} side
 * @property {string} opcode  or `heartbeat`, or the kind of what is no frame
 * @property {string} kind  of message, as a filter's `kind=` has it
 * @property {string} text
 * @property {string} path  a test on JSON, as filters have it
 * @property {boolean} problems
 */

/** @type {Wanted} */
export const EVERYTHING = { side: "", opcode: "", kind: "", text: "", path: "", problems: false };

/** Whether anything is asked for. @param {Wanted} wanted */
export const narrows = (wanted) => Object.values(wanted).some(Boolean);

/** As parameters of a query. @param {Wanted} wanted */
export const asParams = ({ problems, ...rest }) => ({ ...rest, problems: problems ? 1 : "" });
