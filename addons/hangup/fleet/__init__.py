"""Floor 5: very many recordings: which are meant, who reads them side by side, and what they have in common."""
