// Where this script was once: states of that time name it for the delete.
import "../../credentials/steps/keep";
