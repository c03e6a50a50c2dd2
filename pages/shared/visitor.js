// Keeps a text in a cookie, for a year.
export default function({ data }) {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `${data.name}=${data.text}; path=/; max-age=31536000; SameSite=Lax${secure}`;
}
