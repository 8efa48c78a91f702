document.title = "notes of the day";
