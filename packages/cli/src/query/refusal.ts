/** Why an object was not stored: the status that the peer gets, and what is said here; nothing, when it was said. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}
