/** Before the umask: what is received tells of patients, and is no business of every user of the machine. */
export const FILE_MODE = 0o640
export const FOLDER_MODE = 0o750
