/** How a machine stands against what the plan wants of it (PS3.4 DD.3.2.1.3.2). */
import { RtMachineVerificationStatus as RtStatus, Status, StatusError, loadDictionary } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { z } from 'zod'
import { isEmpty, requireAttributes } from '../shared/attributes.ts'
import { itemsOf } from '../shared/matching.ts'

/** Sequences of the General Machine Verification Sequence with things that are put into the beam. */
export const DEVICE_SEQUENCES = [
  'RecordedWedgeSequence',
  'RecordedCompensatorSequence',
  'RecordedBlockSequence',
  'ApplicatorSequence',
  'ReferencedBolusSequence',
] as const

/** What there is to know of a beam of a plan. */
export const beam = z.strictObject({
  number: z.int(),
  treatmentMachineName: z.string(),
  accessoryCodes: z.array(z.string()).default([]).describe('Of what belongs into the beam'),
  parameters: z
    .record(z.string(), z.strictObject({ value: z.number(), tolerance: z.number().min(0) }))
    .default({})
    .describe('What is verified at the control point, by keyword, e.g. GantryAngle'),
})
export type Beam = z.infer<typeof beam>

/** The sequences in which the two kinds of machines say how they stand. */
export interface MachineKind {
  readonly machine: string
  readonly controlPoint: string
}
export const CONVENTIONAL: MachineKind = { machine: 'ConventionalMachineVerificationSequence', controlPoint: 'ConventionalControlPointVerificationSequence' }
export const ION: MachineKind = { machine: 'IonMachineVerificationSequence', controlPoint: 'IonControlPointVerificationSequence' }
export const GENERAL = 'GeneralMachineVerificationSequence'

/** A parameter that does not fit: the sequences that lead to it, each with its first item, and its keyword. */
export type Parameter = readonly string[]

/**
 * The parameters of an N-SET that are missing or out of range.
 * @throws StatusError 0106, 0120, 0121, C224, C225, C226
 */
export async function failedParameters(
  changes: DataSet,
  beams: readonly Beam[],
  { machine, controlPoint }: MachineKind,
  verifiable: ReadonlySet<string>,
): Promise<Parameter[]> {
  await requireAttributes(changes, [GENERAL, machine])
  const general = single(changes[GENERAL])
  await requireAttributes(general, ['TreatmentMachineName', 'RadiationType', 'ReferencedBeamNumber', 'NumberOfControlPoints'])
  const setup = single(changes[machine])
  await requireAttributes(setup, [controlPoint])
  const point = single(setup[controlPoint])
  await requireAttributes(point, ['ReferencedControlPointIndex'])

  const planned = beams.find(({ number }) => number === general['ReferencedBeamNumber'])
  if (planned === undefined) throw new StatusError(RtStatus.NoSuchBeam)
  for (const sequence of DEVICE_SEQUENCES) {
    const devices = itemsOf(general[sequence])
    if (devices.length > 0 && !verifiable.has(sequence)) throw new StatusError(RtStatus.DeviceNotSupported, { errorComment: sequence })
    const codes = devices.map(({ AccessoryCode: code }) => code).filter((code) => !isEmpty(code))
    if (codes.some((code) => !planned.accessoryCodes.includes(String(code)))) throw new StatusError(RtStatus.DeviceNotFound, { errorComment: sequence })
  }

  const failed = Object.entries(planned.parameters)
    .filter(([keyword, { value, tolerance }]) => {
      const actual = point[keyword]
      return typeof actual !== 'number' || Math.abs(actual - value) > tolerance
    })
    .map(([keyword]) => [machine, controlPoint, keyword])
  return general['TreatmentMachineName'] === planned.treatmentMachineName ? failed : [[GENERAL, 'TreatmentMachineName'], ...failed]
}

/** @throws StatusError 0106 unless there is exactly one item */
function single(sequence: unknown): DataSet {
  const [item, ...more] = itemsOf(sequence)
  if (item !== undefined && more.length === 0) return item
  throw new StatusError(Status.InvalidAttributeValue, { errorComment: 'Only a single item is permitted' })
}

/** Where a parameter is, for those who read the result (PS3.4 table DD.3.2.2.1-1). */
export async function selectorOf(parameter: Parameter): Promise<DataSet> {
  const { byName } = await loadDictionary()
  const tags = parameter.map((keyword) => byName(keyword)?.tag)
  return {
    SelectorAttribute: tags.at(-1),
    SelectorValueNumber: 1,
    SelectorSequencePointer: tags.slice(0, -1),
    SelectorSequencePointerPrivateCreator: null,
    SelectorSequencePointerItems: tags.slice(0, -1).map(() => 1),
    SelectorAttributePrivateCreator: null,
  }
}
