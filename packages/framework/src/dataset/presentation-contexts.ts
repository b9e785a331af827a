import type { RequestedContext } from '../acse/types.ts'
import { DicomtapError } from '../errors/index.ts'
import { suggestion } from '../near-names.ts'
import { isValidUid, sopClassByKeyword, sopClassKeywords } from './registry.ts'
import { SopClass } from './sop-classes.ts'
import { DEFAULT_TRANSFER_SYNTAXES, TransferSyntax } from './transfer-syntaxes.ts'

/** Transfer syntaxes whose pixel data is a video stream (PS3.5 8.2), those met most often first. */
export const VIDEO_TRANSFER_SYNTAXES: readonly string[] = Object.freeze([
  TransferSyntax.MPEG4HP41,
  TransferSyntax.MPEG4HP41BD,
  TransferSyntax.MPEG2MPML,
  TransferSyntax.MPEG2MPHL,
  TransferSyntax.MPEG4HP422D,
  TransferSyntax.MPEG4HP423D,
  TransferSyntax.MPEG4HP42STEREO,
  TransferSyntax.HEVCMP51,
  TransferSyntax.HEVCM10P51,
  TransferSyntax.MPEG4HP41F,
  TransferSyntax.MPEG4HP41BDF,
  TransferSyntax.MPEG2MPMLF,
  TransferSyntax.MPEG2MPHLF,
  TransferSyntax.MPEG4HP422DF,
  TransferSyntax.MPEG4HP423DF,
  TransferSyntax.MPEG4HP42STEREOF,
])

const VIDEO_SOP_CLASSES: ReadonlySet<string> = new Set([
  SopClass.VideoEndoscopicImageStorage,
  SopClass.VideoMicroscopicImageStorage,
  SopClass.VideoPhotographicImageStorage,
])

/**
 * The transfer syntaxes a SOP class is proposed in when none are given, one list per presentation context.
 * For most classes that is one context with the uncompressed ones. The video classes (PS3.3 A.32.5 to
 * A.32.7) have one with the video codecs before it: their objects cannot be sent uncompressed, and in a
 * context of its own a codec is not lost to an acceptor that prefers to have things uncompressed.
 */
export function defaultTransferSyntaxListsOf(sopClassUid: string): readonly (readonly string[])[] {
  return VIDEO_SOP_CLASSES.has(sopClassUid) ? [VIDEO_TRANSFER_SYNTAXES, DEFAULT_TRANSFER_SYNTAXES] : [DEFAULT_TRANSFER_SYNTAXES]
}

/**
 * The transfer syntaxes of a context to propose when none are given: of a video class its codecs, of others
 * the uncompressed ones.
 */
export function defaultTransferSyntaxesOf(sopClassUid: string): readonly string[] {
  return defaultTransferSyntaxListsOf(sopClassUid)[0] ?? DEFAULT_TRANSFER_SYNTAXES
}

/**
 * A SOP class to propose: its UID or its keyword of PS3.6 table A-1, the same with transfer syntaxes of its
 * own, an entry of the registry, or a context that is there already.
 */
export type SopClassToPropose = string | { readonly uid: string; readonly transferSyntaxes?: readonly string[] } | RequestedContext

export interface PresentationContextsOptions {
  /** For those that bring none of their own. Default: {@link defaultTransferSyntaxListsOf}. */
  readonly transferSyntaxes?: readonly string[]
  /**
   * Roles this side wants on all of them (PS3.7 D.3.3.4): `{ scu: false, scp: true }` for the storage contexts
   * of a C-GET. Default: those of the contexts given, else none.
   */
  readonly roles?: { readonly scu: boolean; readonly scp: boolean }
  /**
   * One context for each transfer syntax. An acceptor picks one transfer syntax of a context, which need not
   * be the one a file has; when each has its own context, it says of each whether it takes it. Default false.
   */
  readonly separately?: boolean
}

/**
 * Presentation contexts to propose with `associate`. Of two that are the same one is left out. More than the
 * 128 of one association are not cut: which to leave out is the caller's to say.
 *
 * @throws DICOMTAP_ERR_CFG_INVALID for a name that is neither a UID nor a keyword
 *
 * @example
 * const contexts = [
 *   ...presentationContextsFor([StudyRoot.Get]),
 *   ...presentationContextsFor([SopClass.CTImageStorage], { roles: { scu: false, scp: true } }),
 * ]
 * @example
 * // exactly what the files have
 * presentationContextsFor(files.map((file) => ({ uid: file.sopClassUid, transferSyntaxes: [file.transferSyntaxUid] })))
 */
export function presentationContextsFor(
  sopClasses: Iterable<SopClassToPropose>,
  options: PresentationContextsOptions = {},
): RequestedContext[] {
  const contexts = new Map<string, RequestedContext>()
  for (const sopClass of sopClasses) {
    const { abstractSyntax, transferSyntaxes, roles } = proposalOf(sopClass)
    const given = transferSyntaxes ?? options.transferSyntaxes
    const lists = given === undefined ? defaultTransferSyntaxListsOf(abstractSyntax) : [given]
    const wanted = options.roles ?? roles
    for (const list of options.separately === true ? lists.flat().map((uid) => [uid]) : lists) {
      const context = { abstractSyntax, transferSyntaxes: list, ...(wanted === undefined ? {} : { roles: wanted }) }
      contexts.set(JSON.stringify(context), context)
    }
  }
  return [...contexts.values()]
}

function proposalOf(sopClass: SopClassToPropose): RequestedContext {
  if (typeof sopClass === 'string') return { abstractSyntax: sopClassUidOf(sopClass) }
  if ('abstractSyntax' in sopClass) return sopClass
  const { uid, transferSyntaxes } = sopClass
  return { abstractSyntax: sopClassUidOf(uid), ...(transferSyntaxes === undefined ? {} : { transferSyntaxes }) }
}

function sopClassUidOf(name: string): string {
  const uid = sopClassByKeyword(name)?.uid ?? name
  if (isValidUid(uid, 'lenient')) return uid
  const hint = suggestion(name, sopClassKeywords())
  throw new DicomtapError('DICOMTAP_ERR_CFG_INVALID', `'${name}' is neither a UID nor the keyword of a SOP class (PS3.6 A)${hint}`)
}
