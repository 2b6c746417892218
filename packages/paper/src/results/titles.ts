/** The findings in a few words, by number. */
export const findings: Readonly<Record<number, string>> = {
  1: "One ranking: no criterion is clearly best; two layers are worse than one",
  2: "Ranking again: the oracle removes 60 % (one layer) and 40 % (two); taylor2 beats taylor1; neither is near the oracle",
  3: "Cosine: the oracle is flat until 90 % (big) and 50 % (small)",
  4: "Under-trained digits: the oracle improves the error, and stays at or below the start until 60 to 80 %",
  5: "Shapes: taylor2 follows the oracle for a half or a third; taylor1 fails at once",
  6: "The oracle takes the hidden layer nearest the output first",
  7: "Units cancel each other: the error rises and falls again",
  8: "The estimates fail by truncation, the diagonal and interactions",
};
