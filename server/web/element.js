// element makes an element that contains a text. Text only, never HTML: much of
// it comes from strangers.
export function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

// hue gives a text the same colour in every window.
export function hue(text) {
  let sum = 0;
  for (const c of text) sum = (sum * 31 + c.codePointAt(0)) % 360;
  return sum;
}

// linked makes nodes of a text in which addresses of the web are links.
export function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]*[^\s<>"'.,:;!?()[\]])/).map((part, i) => {
    if (i % 2 === 0) return part;
    const link = element("a", part);
    link.href = part;
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    return link;
  });
}
