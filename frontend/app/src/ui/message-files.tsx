import type { ChatFile } from '@isshoni/client';
import { useEffect, useRef, useState } from 'react';
import { t } from '../i18n.js';
import { formatBytes } from './moments.js';
import { saveBlob } from './save-blob.js';

type Download = (id: string) => Promise<Blob>;

/** The files of a message: a name with its size, which saves it; images also as a preview. */
export function MessageFiles({ files, download }: { files: readonly ChatFile[]; download: Download }) {
  if (files.length === 0) return null;
  return (
    <ul className="files">
      {files.map((file) => (
        <li key={file.id}>
          {file.type.startsWith('image/') && <Preview file={file} download={download} />}
          <FileLink file={file} download={download} />
        </li>
      ))}
    </ul>
  );
}

function FileLink({ file, download }: { file: ChatFile; download: Download }) {
  const [failed, setFailed] = useState(false);
  const save = (): void => {
    setFailed(false);
    download(file.id).then(
      (blob) => saveBlob(blob, file.name),
      () => setFailed(true),
    );
  };
  return (
    <>
      <button type="button" className="file" aria-label={t('download', { name: file.name })} onClick={save}>
        <span className="file-name">{file.name}</span> <span className="mark">{formatBytes(file.bytes)} ↓</span>
      </button>
      {failed && (
        <span className="mark" role="alert">
          {t('downloadFailed')}
        </span>
      )}
    </>
  );
}

/** An image, loaded once it is near the view. Its place has one height, so that it moves nothing. */
function Preview({ file, download }: { file: ChatFile; download: Download }) {
  const place = useRef<HTMLDivElement>(null);
  const [url, setUrl] = useState('');
  useEffect(() => {
    let made = '';
    let gone = false;
    const observer = new IntersectionObserver(([entry]) => {
      if (!entry!.isIntersecting) return;
      observer.disconnect();
      download(file.id).then(
        (blob) => {
          // The server sends the type that the bytes have, whatever the sender said.
          if (gone || !blob.type.startsWith('image/')) return;
          setUrl((made = URL.createObjectURL(blob)));
        },
        () => undefined,
      );
    });
    observer.observe(place.current!);
    return () => {
      gone = true;
      observer.disconnect();
      URL.revokeObjectURL(made);
    };
  }, [file.id, download]);
  return (
    <div ref={place} className="preview">
      {url !== '' && <img src={url} alt={file.name} />}
    </div>
  );
}
