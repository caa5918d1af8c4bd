/**
 * Passes the input of a mutation on as GraphQL coerced it, with nulls in place of values and any JSON as conditions. The
 * management call checks all of it and names its faults.
 */
export function unchecked<Input>(input: object): Input {
  return input as Input;
}
