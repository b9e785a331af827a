import { sopClassByUid, Stage } from '@dicomtap/framework'
import type { PluginApi } from '@dicomtap/framework'

/** Behind the policy of a site, and behind the rules that come with plugin-role-selection. */
const LAST = Stage.Fallback + 1

/**
 * Lets a peer that will ask with C-GET be SCP of storage on the association that it requests, for the objects come on
 * it (PS3.4 C.5.3). Who answered before, or said the roles of a supported context, decides.
 */
export function grantStorageRoles(api: PluginApi, getSopClasses: readonly string[]): void {
  api.hooks.roleSelection.tap({ stage: LAST }, (proposed, { association, request }) => {
    const { supportedContexts } = association.settings
    const asks = request.presentationContexts.some(({ abstractSyntax }) => getSopClasses.includes(abstractSyntax))
    if (!asks) return undefined
    const roles = proposed.flatMap(({ sopClassUid }) =>
      isStorage(sopClassUid) && supportedContexts.get(sopClassUid)?.roles === undefined ? [{ sopClassUid, scuRole: true, scpRole: true }] : [],
    )
    return roles.length === 0 ? undefined : roles
  })
}

/** Private classes are stored, if at all. */
function isStorage(sopClassUid: string): boolean {
  const sopClass = sopClassByUid(sopClassUid)
  return sopClass === undefined || sopClass.service === 'storage' || sopClass.keyword.endsWith('Storage')
}
