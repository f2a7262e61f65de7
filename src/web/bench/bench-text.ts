const PASSAGES = [
  "The harbour was quiet in the morning, and the boats lay beside each other like books on a shelf.",
  "A gardener knows the weather by the smell of the soil, long before the first drop has fallen.",
  "On the other side of the valley a train climbed slowly, and its smoke stayed in the trees for an hour.",
  "Whoever builds a bridge has to know the river in spring, when the snow of the mountains comes down.",
  "The library had three rooms: one for maps, one for letters, and one that nobody had opened in years.",
  "Bread takes its time; the dough rises while the town sleeps, and the oven is hot before the sun is up.",
  "They counted the stars from the roof, lost count, laughed, and began again from the brightest one.",
];

/** Plain English from a passage of that number on, over and over, at least so many characters. */
export function benchText(passage: number, characters: number): string {
  let text = `Chapter ${passage + 1}. `;
  for (let index = passage; text.length < characters; index += 1) text += `${PASSAGES[index % PASSAGES.length] ?? ""} `;
  return text;
}
