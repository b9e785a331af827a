import { z } from 'zod'

export interface VerificationOptions {
  readonly maximumPeers: number
}

export interface VerificationOptionsInput {
  readonly maximumPeers?: number | undefined
}

/** The schema of the options; `schema.json` is made from it. */
export const verificationOptions: z.ZodType<VerificationOptions, VerificationOptionsInput> = z
  .strictObject({
    maximumPeers: z.int().min(1).max(1_000_000).default(1000).describe('Peers whose last echo is remembered'),
  })
  .describe('Options of @dicomtap/plugin-verification')
