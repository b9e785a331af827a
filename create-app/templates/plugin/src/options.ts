import { z } from 'zod'

/** The options, checked when the server starts. `npm run build` makes schema.json of it, for editors. */
export const options = z.strictObject({
  senders: z.array(z.string().min(1).max(16)).min(1).describe('AE titles that may store; everybody else is refused'),
})
