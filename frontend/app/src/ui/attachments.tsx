import { useRef } from 'react';
import { t } from '../i18n.js';
import { MAX_FILE_BYTES, type Upload, type Uploads } from '../models/uploads.js';
import { useChanges } from '../observable.js';
import { CLIP, Icon } from './icon.js';
import { formatBytes } from './moments.js';

const FAULTS = { tooLarge: 'fileTooLarge', full: 'filesFull', notAllowed: 'fileNotAllowed', failed: 'fileFailed' } as const;

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
  if (uploads.files.length === 0) return null;
  return (
    <div className="attachments">
      <ul>
        {uploads.files.map((upload, at) => (
          <Attachment key={at} upload={upload} uploads={uploads} />
        ))}
      </ul>
      <p className="hint" role="status">
        {uploads.leftOut > 0 ? t('filesLeftOut', { ...limits, count: uploads.leftOut }) : t('filesNotKept')}
      </p>
    </div>
  );
}

function Attachment({ upload, uploads }: { upload: Upload; uploads: Uploads }) {
  const { file, state, part } = upload;
  const isFaulty = state !== 'uploading' && state !== 'done';
  return (
    <li>
      <span className="file-name">{file.name}</span>
      {state === 'uploading' && <progress value={part} max={1} aria-label={t('uploading', { name: file.name })} />}
      <span className={isFaulty ? 'fault' : 'mark'} role={isFaulty ? 'alert' : undefined}>
        {isFaulty ? t(FAULTS[state], limits) : formatBytes(file.size)}
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
