import type { ApplicationEntity, AssociationServer } from '@dicomtap/framework'

/** What every process of a server does once its plugins have started. */
export async function serve(ae: ApplicationEntity): Promise<readonly AssociationServer[]> {
  const servers = await ae.listenAll()
  if (ae.config.warmUp !== false) void ae.warmUp()
  return servers
}
