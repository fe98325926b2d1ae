import { useRef } from 'react';
import { t } from '../i18n.js';
import { MAX_FILE_BYTES, type Upload, type Uploads } from '../models/uploads.js';
import { useChanges } from '../observable.js';
import { CLIP, Icon } from './icon.js';
import { formatBytes } from './moments.js';

const FAULTS = { tooLarge: 'fileTooLarge', full: 'filesFull', notAllowed: 'fileNotAllowed', failed: 'fileFailed' } as const;

/** Characters of a file's name in the line below the list. */
const LONGEST_IN_HINT = 30;

const limits = { size: `${MAX_FILE_BYTES / 1024 / 1024} MB`, files: 8 };

/** The button that chooses files for a message. */
export function AttachButton({ uploads }: { uploads: Uploads }) {
  const input = useRef<HTMLInputElement>(null);
  const label = t('attach', limits);
  return (
    <>
      <button type="button" className="quiet attach" title={label} aria-label={label} onClick={() => input.current?.click()}>
        <Icon path={CLIP} />
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        onChange={({ target }) => {
          uploads.add([...(target.files ?? [])]);
          // The same file may be chosen again.
          target.value = '';
        }}
      />
    </>
  );
}

/** The files of the message that is being written, with how far each is. */
export function Attachments({ uploads }: { uploads: Uploads }) {
  useChanges(uploads);
  if (uploads.files.length === 0 && uploads.folder === '') return null;
  return (
    <div className="attachments">
      <ul>
        {uploads.files.map((upload, at) => (
          <Attachment key={at} upload={upload} uploads={uploads} />
        ))}
      </ul>
      <p className="hint" role="status">
        {hintOf(uploads)}
      </p>
    </div>
  );
}

/** What is to know of the files, the most urgent only; a file that failed may be out of view in the list. */
function hintOf(uploads: Uploads): string {
  const failed = uploads.files.filter(isFaulty).map(({ file: { name } }) => shorten(name));
  if (uploads.folder !== '') return t('folderRefused', { name: shorten(uploads.folder) });
  if (uploads.leftOut > 0) return t('filesLeftOut', { ...limits, count: uploads.leftOut });
  if (failed.length > 0) return t('filesFailed', { names: failed.join(', ') });
  return t(uploads.areAwaited ? 'filesAwaited' : 'filesNotKept');
}

const shorten = (name: string): string => (name.length > LONGEST_IN_HINT ? `${name.slice(0, LONGEST_IN_HINT)}…` : name);

function isFaulty({ state }: Upload): boolean {
  return state !== 'uploading' && state !== 'done';
}

function Attachment({ upload, uploads }: { upload: Upload; uploads: Uploads }) {
  const { file, state, part } = upload;
  const fault = state === 'uploading' || state === 'done' ? null : FAULTS[state];
  return (
    <li>
      <span className="file-name">{file.name}</span>
      {state === 'uploading' && <progress value={part} max={1} aria-label={t('uploading', { name: file.name })} />}
      <span className={fault === null ? 'mark' : 'fault'} role={fault === null ? undefined : 'alert'}>
        {fault !== null ? t(fault, limits) : formatBytes(file.size)}
      </span>
      {state === 'failed' && (
        <button type="button" className="quiet" onClick={() => uploads.retry(upload)}>
          {t('retry')}
        </button>
      )}
      <button type="button" className="quiet" aria-label={t('removeFile', { name: file.name })} onClick={() => uploads.remove(upload)}>
        ✕
      </button>
    </li>
  );
}
